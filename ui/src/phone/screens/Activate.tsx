// A certificate onto the phone: by activation code (annex 7, rows 5 to 7 and 12) or by phone number (row 8).
import { Button, Form, Input, Result } from "antd-mobile";
import { useEffect, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { call, wordsOf } from "../api.ts";
import { useApp } from "../app.tsx";
import { Page } from "../parts/Page.tsx";
import { PinInput } from "../parts/PinSheet.tsx";
import { makeKey, requestCertificate, type Certified, type Person } from "../signing.ts";
import { weakness } from "../sm2/pin.ts";
import type { Key } from "../store.ts";

type Step =
  | { at: "code" }
  | { at: "pin"; code: string; person: Person }
  | { at: "done"; key: Key; made: Certified; next: string }
  | { at: "failed"; words: string; retry: (() => void) | null };

export function Activate() {
  const [params] = useSearchParams();
  const given = params.get("code") ?? "";
  const next = params.get("next") ?? "/home";
  const { current } = useApp();
  const [step, setStep] = useState<Step>({ at: "code" });
  const service = current?.url ?? "";
  useEffect(() => {
    if (given === "") return;
    let gone = false;
    look(service, given).then((found) => gone || setStep(found));
    return () => {
      gone = true;
    };
  }, [service, given]);
  const install = async (code: string, person: Person, pin: string) => setStep(await activate(service, code, person, pin, next));
  if (step.at === "code") return <CodeForm first={given} onCode={async (code) => setStep(await look(service, code))} />;
  if (step.at === "pin") return <SetPin person={step.person} onPin={(pin) => install(step.code, step.person, pin)} />;
  if (step.at === "done") return <Success step={step} />;
  return <Failure words={step.words} onAgain={() => setStep({ at: "code" })} />;
}

async function look(service: string, code: string): Promise<Step> {
  try {
    return { at: "pin", code, person: await call<Person>(service, "lookActivation", { code }) };
  } catch (error) {
    return { at: "failed", words: wordsOf(error), retry: null };
  }
}

async function activate(service: string, code: string, person: Person, pin: string, next: string): Promise<Step> {
  try {
    const key = await makeKey(service, { code }, person, pin);
    return { at: "done", key, made: await requestCertificate(key, pin), next };
  } catch (error) {
    return { at: "failed", words: wordsOf(error), retry: null };
  }
}

function CodeForm({ first, onCode }: { first: string; onCode: (code: string) => Promise<void> }) {
  const [code, setCode] = useState(first);
  const [busy, setBusy] = useState(false);
  const navigate = useNavigate();
  const go = async () => {
    setBusy(true);
    await onCode(code.trim());
    setBusy(false);
  };
  return (
    <Page title="下载证书" back="/login">
      <p className="quiet">激活码在自助服务页面获取，24 小时内有效，只能使用一次。</p>
      <Form layout="vertical" mode="card">
        <Form.Item label="证书激活码">
          <Input aria-label="证书激活码" autoCapitalize="characters" placeholder="XXXX-XXXX-XXXX" value={code} onChange={setCode} />
        </Form.Item>
      </Form>
      <div className="stack">
        <Button block color="primary" size="large" loading={busy} disabled={code.trim() === ""} onClick={() => void go()}>
          下一步
        </Button>
        <Button block size="large" onClick={() => void navigate("/scan")}>
          扫描激活二维码
        </Button>
      </div>
    </Page>
  );
}

function SetPin({ person, onPin }: { person: Person; onPin: (pin: string) => Promise<void> }) {
  const [pin, setPin] = useState("");
  const [again, setAgain] = useState("");
  const [busy, setBusy] = useState(false);
  const problem = pin.length === 6 && weakness(pin) !== "" ? weakness(pin) : again.length === 6 && again !== pin ? "两次输入不一致" : "";
  const go = async () => {
    setBusy(true);
    await onPin(pin);
  };
  return (
    <Page title="设置证书密码" back="/login">
      <div className="card">
        <strong>{person.name}</strong>
        <div className="quiet">
          {person.hospital} · {person.department}
        </div>
      </div>
      <Form layout="vertical" mode="card">
        <Form.Item label="证书密码">
          <PinInput label="证书密码" value={pin} onChange={setPin} />
        </Form.Item>
        <Form.Item label="再输入一次">
          <PinInput label="再输入一次" value={again} onChange={setAgain} />
        </Form.Item>
      </Form>
      <p className="quiet">登录和签名时使用。密码只在您手机上，平台不保存、无法找回；连续输错 5 次须重新下载证书。</p>
      {problem !== "" && <p className="problem">{problem}</p>}
      <Button
        block
        color="primary"
        size="large"
        loading={busy}
        loadingText="正在下载证书…"
        disabled={pin.length !== 6 || again !== pin || problem !== ""}
        onClick={() => void go()}
      >
        完成
      </Button>
    </Page>
  );
}

function Success({ step }: { step: Extract<Step, { at: "done" }> }) {
  const { enter, reload } = useApp();
  const navigate = useNavigate();
  const { key, made, next } = step;
  const waiting = made.certificate === null;
  const go = async () => {
    await reload();
    if (waiting) return navigate("/login", { replace: true });
    const { service, keyId, name, hospital } = key;
    enter({ service, keyId, name, hospital, token: made.token, certificateState: made.state });
    return navigate(next, { replace: true });
  };
  return (
    <Page title="下载证书" back={null}>
      <Result
        status={waiting ? "waiting" : "success"}
        title={waiting ? "证书尚未生成，请等待证书导入" : "下证成功"}
        description={waiting ? "管理员导入证书后即可登录" : `${key.name}的证书已下载到本机`}
      />
      <Button block color="primary" size="large" onClick={() => void go()}>
        确定
      </Button>
    </Page>
  );
}

function Failure({ words, onAgain }: { words: string; onAgain: () => void }) {
  const navigate = useNavigate();
  return (
    <Page title="下载证书" back={null}>
      <Result status="error" title="下证失败" description={words} />
      <div className="stack">
        <Button block color="primary" size="large" onClick={onAgain}>
          重试
        </Button>
        <Button block size="large" onClick={() => void navigate("/login", { replace: true })}>
          确定
        </Button>
      </div>
    </Page>
  );
}

export function PhoneNumber() {
  const [params] = useSearchParams();
  const [mobile, setMobile] = useState("");
  const [code, setCode] = useState("");
  const [problem, setProblem] = useState("");
  const [sent, setSent] = useState(false);
  const { current } = useApp();
  const navigate = useNavigate();
  const service = current?.url ?? "";
  const o = params.get("o");
  const attempt = (step: () => Promise<unknown>) => {
    setProblem("");
    step().catch((error: unknown) => setProblem(wordsOf(error)));
  };
  const send = async () => {
    await call(service, "phoneCode", { mobile, ...(o === null ? {} : { o }) });
    setSent(true);
  };
  const download = async () => {
    const made = await call<{ code: string }>(service, "phoneDownload", { mobile, verificationCode: code });
    const next = params.get("next") ?? "/home";
    await navigate(`/activate?code=${encodeURIComponent(made.code)}&next=${encodeURIComponent(next)}`, { replace: true });
  };
  return (
    <Page title="手机号下证" back="/login">
      <Form layout="vertical" mode="card">
        <Form.Item
          label="手机号"
          extra={
            <Button size="small" fill="none" color="primary" disabled={!/^1\d{10}$/.test(mobile)} onClick={() => attempt(send)}>
              {sent ? "重新发送" : "发送验证码"}
            </Button>
          }
        >
          <Input aria-label="手机号" type="tel" maxLength={11} placeholder="在医院登记的手机号" value={mobile} onChange={setMobile} />
        </Form.Item>
        <Form.Item label="验证码">
          <Input aria-label="验证码" inputMode="numeric" autoComplete="one-time-code" maxLength={8} value={code} onChange={setCode} />
        </Form.Item>
      </Form>
      {sent && problem === "" && <p className="quiet">验证码已发送，请留意短信。</p>}
      {problem !== "" && <p className="problem">{problem}</p>}
      <Button block color="primary" size="large" disabled={mobile === "" || code === ""} onClick={() => attempt(download)}>
        下一步
      </Button>
    </Page>
  );
}
