// Login (annex 7, rows 10 and 12): choose a certificate, give its password, remember it or not.
import { Button, CheckList, Dialog, Empty, Toast } from "antd-mobile";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { Refused, refreshed, wordsOf } from "../api.ts";
import { rememberPin, useApp } from "../app.tsx";
import { Page } from "../parts/Page.tsx";
import { PinInput } from "../parts/PinSheet.tsx";
import { SideBar } from "../parts/SideBar.tsx";
import { logIn } from "../signing.ts";
import type { Key } from "../store.ts";
import { offerUpdate } from "../update.ts";

export function Login() {
  const { current, keys, addService, moveService } = useApp();
  const navigate = useNavigate();
  const mine = keys.filter((key) => key.service === current?.url);
  const [chosen, setChosen] = useState("");
  const [moving, setMoving] = useState(false);
  const key = mine.find((one) => one.keyId === chosen) ?? mine[0];
  const refresh = async () => {
    if (current === null) return;
    try {
      const { service, moved } = await refreshed(current.url);
      if (moved !== null && (await agreeTo(current.url, moved.url))) {
        setMoving(true);
        await moveService(current.url, moved);
      } else await addService(service);
      Toast.show({ icon: "success", content: "服务信息已更新" });
    } catch (error) {
      Toast.show({ content: wordsOf(error) });
    } finally {
      setMoving(false);
    }
  };
  return (
    <Page title={current?.name ?? "登录"} back={null} left={<SideBar />}>
      <h3>请选择证书</h3>
      {mine.length === 0 && <Empty description="本机还没有这个服务的证书，请先下载证书" />}
      {key !== undefined && (
        <CheckList value={[key.keyId]} onChange={(value) => setChosen(String(value[0] ?? key.keyId))} mode="card">
          {mine.map((one) => (
            <CheckList.Item key={one.keyId} value={one.keyId} description={`${one.hospital} · ${one.department}`}>
              {one.name}
            </CheckList.Item>
          ))}
        </CheckList>
      )}
      {key !== undefined && <Enter key={key.keyId} owner={key} moving={moving} />}
      <div className="stack">
        <Button block onClick={() => void navigate(current?.phoneDownload ? "/phone" : "/activate")}>
          下载证书
        </Button>
        {current?.phoneDownload && (
          <Button block fill="none" onClick={() => void navigate("/activate")}>
            用激活码下载
          </Button>
        )}
        <Button block fill="none" onClick={() => void refresh()}>
          刷新服务
        </Button>
      </div>
    </Page>
  );
}

/** `moving`: the key is on its way to its service's new address, and `owner` still says the old one. */
function Enter({ owner, moving }: { owner: Key; moving: boolean }) {
  const [params] = useSearchParams();
  const [pin, setPin] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const { enter, reload, withPin } = useApp();
  const navigate = useNavigate();
  const stored = owner.remembered !== null || owner.biometric !== null;
  const log = async (typed: string) => {
    const found = await logIn(owner, typed);
    if (!(await offerUpdate(owner, typed, found, reload))) return setPin("");
    if (owner.remembered === null && owner.biometric === null && (await askRemember())) await rememberPin(owner, typed);
    await reload();
    enter({ service: owner.service, keyId: owner.keyId, ...found });
    void navigate(params.get("next") ?? "/home", { replace: true });
  };
  const go = async (typed: string) => {
    setBusy(true);
    setProblem("");
    try {
      if (typed === "") await withPin(owner, log);
      else await log(typed);
    } catch (error) {
      setPin("");
      setProblem(wordsOf(error));
      if (error instanceof Refused && error.code === "certificate-expired") await downloadAnew();
    } finally {
      setBusy(false);
    }
  };
  /** 图 30: expired for more than a month. */
  const downloadAnew = async () => {
    const content = "过期超过一个月，不能更新，请重新下载证书。";
    if (await Dialog.confirm({ title: "证书已过期", content, confirmText: "下载证书", cancelText: "取消" })) void navigate("/activate");
  };
  return (
    <div className="stack">
      <PinInput label="证书密码" value={pin} onChange={setPin} />
      {problem !== "" && <p className="problem">{problem}</p>}
      <Button block color="primary" size="large" loading={busy} disabled={moving || (pin.length !== 6 && !stored)} onClick={() => void go(pin)}>
        {problem !== "" ? "重试" : stored && pin === "" ? "免密进入" : "进入"}
      </Button>
    </div>
  );
}

function agreeTo(before: string, after: string): Promise<boolean> {
  const content = `${before} 已改为 ${after}，证书随之转移。`;
  return Dialog.confirm({ title: "服务地址已变更", content, confirmText: "使用新地址", cancelText: "暂不" });
}

function askRemember(): Promise<boolean> {
  return Dialog.confirm({
    title: "记住证书密码？",
    content: "记住后，在这台手机上签名不再输入密码。请只在设有锁屏的本人手机上使用。",
    confirmText: "记住",
    cancelText: "跳过",
  });
}
