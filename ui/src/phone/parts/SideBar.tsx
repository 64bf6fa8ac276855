// Side bar (annex 7, row 11): who, which services, and adding one.
import { Button, List, Popup } from "antd-mobile";
import { CheckOutline, UnorderedListOutline } from "antd-mobile-icons";
import { useState } from "react";
import { useNavigate } from "react-router";
import { useApp } from "../app.tsx";

export function SideBar() {
  const [open, setOpen] = useState(false);
  const { services, current, session, choose } = useApp();
  const navigate = useNavigate();
  const go = (to: string) => {
    setOpen(false);
    void navigate(to);
  };
  return (
    <>
      <button type="button" className="icon" aria-label="侧边栏" onClick={() => setOpen(true)}>
        <UnorderedListOutline fontSize={24} />
      </button>
      <Popup visible={open} position="left" onMaskClick={() => setOpen(false)} bodyClassName="side">
        <h2>{session?.name || "欢迎您"}</h2>
        <List header="已添加的服务">
          {services.map((service) => (
            <List.Item
              key={service.url}
              description={service.url}
              arrow={false}
              extra={service.url === current?.url && <CheckOutline color="#0b6e6e" />}
              onClick={() => {
                choose(service.url);
                go(session?.service === service.url ? "/home" : "/login");
              }}
            >
              {service.name}
            </List.Item>
          ))}
        </List>
        <div className="row">
          <Button block onClick={() => go("/scan")}>
            扫码添加
          </Button>
          <Button block onClick={() => go("/service/add")}>
            手动添加
          </Button>
        </div>
      </Popup>
    </>
  );
}
