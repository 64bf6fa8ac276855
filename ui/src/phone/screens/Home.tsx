// Main page and 我的 (annex 7, rows 13 and 22).
import { Badge, Dialog, Grid, List } from "antd-mobile";
import {
  ClockCircleOutline,
  EditSOutline,
  FillinOutline,
  LoopOutline,
  QuestionCircleOutline,
  SetOutline,
  TeamOutline,
} from "antd-mobile-icons";
import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { useApp, useSession } from "../app.tsx";
import { useWaiting } from "../jobs.ts";
import { Bottom } from "../parts/Bottom.tsx";
import { Page } from "../parts/Page.tsx";
import { SideBar } from "../parts/SideBar.tsx";

interface Entry {
  words: string;
  icon: ReactNode;
  to: string;
  badge?: ReactNode;
}

export function Home() {
  const { session, service } = useSession();
  const navigate = useNavigate();
  const switchUser = useSwitchUser();
  const count = useWaiting();
  const entries: Entry[] = [
    { words: "待办列表", icon: <FillinOutline />, to: "/jobs", badge: count === 0 ? null : count },
    { words: "数字证书", icon: <TeamOutline />, to: "/certificates" },
    ...(service.handwrittenSeal ? [{ words: "电子印章", icon: <EditSOutline />, to: "/seal" }] : []),
    ...(service.autoSignMaxMinutes > 0 ? [{ words: "自动签名", icon: <ClockCircleOutline />, to: "/auto" }] : []),
  ];
  return (
    <Page title={service.name} back={null} left={<SideBar />} footer={<Bottom at="/home" />}>
      <div className="hero">
        <div className="who">{session.name}</div>
        <div>{session.hospital}</div>
      </div>
      <Grid columns={3} gap={12} className="entries">
        {entries.map((entry) => (
          <Grid.Item key={entry.to}>
            <button type="button" onClick={() => void navigate(entry.to)}>
              <Badge content={entry.badge}>
                <span className="glyph">{entry.icon}</span>
              </Badge>
              <span>{entry.words}</span>
            </button>
          </Grid.Item>
        ))}
        <Grid.Item>
          <button type="button" onClick={switchUser}>
            <span className="glyph">
              <LoopOutline />
            </span>
            <span>切换身份</span>
          </button>
        </Grid.Item>
      </Grid>
      {count > 0 && (
        <List mode="card">
          <List.Item onClick={() => void navigate("/jobs")}>有 {count} 份文件等待签名</List.Item>
        </List>
      )}
    </Page>
  );
}

export function useSwitchUser(): () => void {
  const { leave } = useApp();
  const navigate = useNavigate();
  return () => {
    const confirmed = Dialog.confirm({ title: "切换身份", content: "将退出当前登录，回到登录页。", confirmText: "退出登录" });
    void confirmed.then(async (yes) => {
      if (!yes) return;
      await leave();
      await navigate("/login", { replace: true });
    });
  };
}

export function Mine() {
  const { session, current } = useApp();
  const navigate = useNavigate();
  const switchUser = useSwitchUser();
  return (
    <Page title="我的" back={null} footer={<Bottom at="/mine" />}>
      <div className="hero">
        <div className="who">{session?.name || "未登录"}</div>
        <div>{session?.hospital || current?.name || "尚未添加服务"}</div>
      </div>
      <List mode="card">
        <List.Item prefix={<SetOutline />} onClick={() => void navigate("/settings")}>
          配置中心
        </List.Item>
        <List.Item prefix={<QuestionCircleOutline />} onClick={() => void navigate("/help")}>
          帮助中心
        </List.Item>
        {session !== null && (
          <List.Item prefix={<LoopOutline />} onClick={switchUser}>
            切换身份
          </List.Item>
        )}
      </List>
    </Page>
  );
}
