// Welcome, choosing how to connect a service, and adding one by hand (annex 7, rows 1, 2, 4).
import { Button, Form, Input, Toast } from "antd-mobile";
import { useState } from "react";
import { useNavigate } from "react-router";
import icon from "@/common/icon.svg";
import { baseOf, describe, wordsOf } from "../api.ts";
import { useApp } from "../app.tsx";
import { Page } from "../parts/Page.tsx";

export function Welcome() {
  const navigate = useNavigate();
  return (
    <div className="welcome">
      <img src={icon} alt="" width={96} height={96} />
      <h1>影桥协同签名</h1>
      <p>医生在手机上审阅、签署影像报告</p>
      <Button block color="primary" size="large" onClick={() => void navigate("/service")}>
        开始使用
      </Button>
    </div>
  );
}

export function ServiceSetup() {
  const navigate = useNavigate();
  const { services } = useApp();
  return (
    <Page title="服务配置" back={services.length === 0 ? "/" : "/login"}>
      <p className="quiet">使用前须连接医院的签名服务。二维码与服务地址由医院的管理员提供，也可以扫描自助服务页面的证书激活码。</p>
      <div className="stack">
        <Button block color="primary" size="large" onClick={() => void navigate("/scan")}>
          扫码连接服务
        </Button>
        <Button block size="large" onClick={() => void navigate("/service/add")}>
          手动添加服务
        </Button>
        <Button block fill="none" color="primary" onClick={() => void addThisOne()}>
          连接本页所在的服务
        </Button>
      </div>
    </Page>
  );

  async function addThisOne() {
    void navigate(`/service/add?url=${encodeURIComponent(location.origin)}`);
  }
}

export function AddService() {
  const given = new URLSearchParams(location.hash.split("?")[1] ?? "").get("url") ?? "";
  const [address, setAddress] = useState(given);
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const { addService } = useApp();
  const navigate = useNavigate();
  const add = async () => {
    setBusy(true);
    setProblem("");
    try {
      const base = baseOf(address);
      if (base === "") throw new Error("服务地址不对，应如 https://sign.example.com");
      const service = await describe(base, name.trim());
      await addService(service);
      Toast.show({ icon: "success", content: "已添加" });
      void navigate("/login", { replace: true });
    } catch (error) {
      setProblem(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Page title="手动添加服务">
      <Form layout="vertical" mode="card">
        <Form.Item label="服务地址">
          <Input
            aria-label="服务地址"
            type="url"
            inputMode="url"
            autoCapitalize="off"
            placeholder="https://"
            value={address}
            onChange={setAddress}
          />
        </Form.Item>
        <Form.Item label="服务名称">
          <Input aria-label="服务名称" placeholder="自定，如：某某医院" maxLength={30} value={name} onChange={setName} />
        </Form.Item>
      </Form>
      {problem !== "" && <p className="problem">{problem}</p>}
      <Button block color="primary" size="large" loading={busy} onClick={() => void add()}>
        {problem === "" ? "添加" : "重试"}
      </Button>
    </Page>
  );
}
