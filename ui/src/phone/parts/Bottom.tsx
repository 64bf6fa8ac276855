// Bottom bar of the main page: 首页 / 扫码 / 我的.
import { TabBar } from "antd-mobile";
import { AppOutline, ScanningOutline, UserOutline } from "antd-mobile-icons";
import { useNavigate } from "react-router";

export function Bottom({ at }: { at: "/home" | "/mine" }) {
  const navigate = useNavigate();
  return (
    <TabBar safeArea activeKey={at} onChange={(to) => void navigate(to)}>
      <TabBar.Item key="/home" title="首页" icon={<AppOutline />} />
      <TabBar.Item key="/scan" title="扫码" icon={<ScanningOutline />} />
      <TabBar.Item key="/mine" title="我的" icon={<UserOutline />} />
    </TabBar>
  );
}
