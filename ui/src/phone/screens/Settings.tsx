// Settings (annex 7, row 23): the service in detail, fingerprint, automatic signing, remembering the password.
import { useQuery } from "@tanstack/react-query";
import { Button, Dialog, List, Switch, Toast } from "antd-mobile";
import { useNavigate } from "react-router";
import { wordsOf } from "../api.ts";
import { rememberPin, useApp } from "../app.tsx";
import { bindPin, hasBiometric } from "../biometric.ts";
import { Page } from "../parts/Page.tsx";
import { logIn } from "../signing.ts";
import { keys, type Key } from "../store.ts";

export function Settings() {
  const { key, current } = useApp();
  const navigate = useNavigate();
  const hasAutomatic = key !== null && current !== null && current.autoSignMaxMinutes > 0;
  return (
    <Page title="配置中心" back="/mine">
      <List mode="card">
        <List.Item onClick={() => void navigate("/service/detail")}>服务地址与业务标识</List.Item>
        {hasAutomatic && <List.Item onClick={() => void navigate("/auto")}>自动签名管理</List.Item>}
      </List>
      {key !== null && <Password owner={key} />}
    </Page>
  );
}

function Password({ owner }: { owner: Key }) {
  const { withPin, reload } = useApp();
  const biometric = useQuery({ queryKey: ["biometric"], queryFn: hasBiometric, staleTime: Infinity });
  /** The service is asked whether the PIN is right before it is kept: the phone cannot tell. */
  const change = async (step: (pin: string) => Promise<unknown>) => {
    try {
      const proved = { ...owner, remembered: null, biometric: null };
      await withPin(proved, async (pin) => {
        await logIn(owner, pin);
        await step(pin);
      });
    } catch (error) {
      Toast.show({ content: wordsOf(error), duration: 4000 });
    }
    await reload();
  };
  const turnBiometric = async (on: boolean) => {
    if (on) return change(async (pin) => keys.put({ ...owner, biometric: await bindPin(owner, pin) }));
    await keys.put({ ...owner, biometric: null });
    return reload();
  };
  const turnRemember = async (on: boolean) => {
    if (on) return change((pin) => rememberPin(owner, pin));
    await rememberPin(owner, null);
    return reload();
  };
  return (
    <List mode="card">
      <List.Item
        extra={
          <Switch aria-label="生物特征认证" checked={owner.biometric !== null} disabled={biometric.data !== true && owner.biometric === null} onChange={turnBiometric} />
        }
        description={biometric.data === true ? "没有记住密码时，签名用指纹或面容代替键盘" : "本机或浏览器不支持"}
      >
        生物特征认证
      </List.Item>
      <List.Item
        extra={<Switch aria-label="记住证书密码" checked={owner.remembered !== null} onChange={turnRemember} />}
        description="签名时不再输入密码"
      >
        记住证书密码
      </List.Item>
    </List>
  );
}

export function ServiceDetail() {
  const { current, key, keys: held, removeService, leave } = useApp();
  const navigate = useNavigate();
  if (current === null) return <Page title="服务详情">尚未添加服务</Page>;
  const count = held.filter((one) => one.service === current.url).length;
  const remove = async () => {
    const content = count > 0 ? `本机在该服务的 ${count} 张证书将保留，重新添加后可继续使用。` : "";
    if (!(await Dialog.confirm({ title: "删除服务", content, confirmText: "删除" }))) return;
    await leave();
    await removeService(current.url);
    await navigate("/", { replace: true });
  };
  return (
    <Page title="服务详情">
      <List mode="card">
        <List.Item extra={current.name}>服务名称</List.Item>
        <List.Item description={current.url}>服务地址</List.Item>
        <List.Item extra={current.version}>服务版本</List.Item>
        <List.Item extra={current.phoneDownload ? "支持" : "不支持"}>手机号下证</List.Item>
        <List.Item extra={current.handwrittenSeal ? (current.sealReview ? "支持，须审核" : "支持") : "不支持"}>手写签章</List.Item>
        {key !== null && <List.Item description={key.user}>用户标识</List.Item>}
        {key !== null && <List.Item description={key.keyId}>密钥标识</List.Item>}
      </List>
      <Button block color="danger" fill="outline" onClick={() => void remove()}>
        删除服务
      </Button>
    </Page>
  );
}
