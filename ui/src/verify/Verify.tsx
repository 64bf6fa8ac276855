// /verify/: a signature, a time stamp, a certificate or the seals of a file judged for people.
import { Alert, Button, Card, Flex, Form, Input, Tabs, Typography } from "antd";
import { useRef, useState } from "react";
import { NOTHING, Refused, ask, bodyOf, readFile, type Given, type Kind, type SealsFound, type Verdict } from "./ask";
import { GivenInput } from "./GivenInput";
import { SealsView } from "./SealsView";
import { VerdictView } from "./VerdictView";
import "./verify.css";

interface Field {
  name: string;
  label: string;
  hint: string;
}

const CONTENT = { name: "content", label: "签名原文", hint: "粘贴原文（按 UTF-8 文本）；二进制请拖入文件" };
const CERTIFICATE = { name: "certificate", label: "签名者证书", hint: "粘贴 PEM 或 Base64；可带证书链，也可为公钥" };
const TOKEN = { name: "token", label: "时间戳", hint: "粘贴 Base64；没有可不填" };
const KINDS: { key: Kind; label: string; fields: Field[] }[] = [
  {
    key: "signature",
    label: "验证签名",
    fields: [CONTENT, { name: "signature", label: "签名值", hint: "粘贴 Base64：PKCS#1 签名值或 PKCS#7 签名消息" }, CERTIFICATE, TOKEN],
  },
  { key: "timestamp", label: "验证时间戳", fields: [{ ...CONTENT, label: "所盖原文" }, { ...TOKEN, hint: "粘贴 Base64" }] },
  { key: "certificate", label: "验证证书", fields: [{ ...CERTIFICATE, label: "证书" }] },
  {
    key: "seal",
    label: "验证签章",
    fields: [
      { name: "file", label: "盖章的文件", hint: "拖入盖章的 PDF；印章（.esl）与签章数据（SignedValue）也可粘贴 Base64" },
      { name: "content", label: "所盖的文件", hint: "只在上面是签章数据（SignedValue）时需要；PDF 不填" },
    ],
  },
];
const LARGEST_SEALED = 32;
const FIRST: Kind = window.location.hash === "#seal" ? "seal" : "signature";
const KEPT = "yingqiao.api-token";
const wordsOf = (error: unknown) => (error instanceof Refused ? error.message : "网页内部错误");

export function Verify() {
  const [kind, setKind] = useState<Kind>(FIRST);
  const [given, setGiven] = useState<Record<string, Given>>({});
  const [at, setAt] = useState("");
  const [token, setToken] = useState(() => sessionStorage.getItem(KEPT) ?? "");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [seals, setSeals] = useState<SealsFound | null>(null);

  const [reading, setReading] = useState(0);
  const asked = useRef(0);
  const files = useRef<Record<string, File | null>>({});

  /** A verdict is of what was given then: it goes with that, also one that is still to come. */
  const forget = () => {
    asked.current += 1;
    setProblem("");
    setVerdict(null);
    setSeals(null);
  };

  const give = (name: string, one: Given, file: File | null = null) => {
    files.current[name] = file;
    setGiven((before) => ({ ...before, [name]: one }));
    forget();
  };
  /** What the file takes the place of is gone at once, and nothing is judged before the file is read. */
  const read = async (name: string, file: File) => {
    setReading((before) => before + 1);
    give(name, NOTHING, file);
    const isWanted = () => files.current[name] === file;
    try {
      const found = await readFile(file);
      if (isWanted()) give(name, found);
    } catch (error) {
      if (isWanted()) setProblem(wordsOf(error));
    } finally {
      setReading((before) => before - 1);
    }
  };

  const verify = async () => {
    setBusy(true);
    forget();
    const turn = asked.current;
    try {
      sessionStorage.setItem(KEPT, token);
      const body = bodyOf(kind, given, at.trim());
      if (kind === "seal") {
        const found = await ask<SealsFound>(kind, body, token.trim());
        if (turn === asked.current) setSeals(found);
      } else {
        const found = await ask(kind, body, token.trim());
        if (turn === asked.current) setVerdict(found);
      }
    } catch (error) {
      if (turn === asked.current) setProblem(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };

  const fields = KINDS.find((one) => one.key === kind)?.fields ?? [];
  return (
    <Flex vertical gap="middle" style={{ maxWidth: 960, margin: "32px auto", padding: "0 24px" }}>
      <Typography.Title level={3}>验证签名、时间戳、证书与签章</Typography.Title>
      <Card className="no-print">
        <Tabs
          activeKey={kind}
          items={KINDS.map(({ key, label }) => ({ key, label }))}
          onChange={(key) => {
            setKind(key as Kind);
            forget();
          }}
        />
        <Form layout="vertical" onFinish={() => void verify()}>
          {fields.map((field) => (
            <GivenInput
              key={field.name}
              label={field.label}
              hint={field.hint}
              value={given[field.name] ?? NOTHING}
              onChange={(one) => give(field.name, one)}
              onFile={(file) => void read(field.name, file)}
              onError={setProblem}
              largest={kind === "seal" ? LARGEST_SEALED : 16}
            />
          ))}
          <Flex gap="middle" wrap>
            <Form.Item label="判定时间" style={{ width: 300 }}>
              <Input
                aria-label="判定时间"
                placeholder="不填 = 现在；如 2026-03-01 12:00:00"
                value={at}
                onChange={(event) => setAt(event.target.value)}
              />
            </Form.Item>
            <Form.Item label="访问令牌" style={{ width: 300 }}>
              <Input.Password
                aria-label="访问令牌"
                autoComplete="off"
                placeholder="由网关管理员提供（api.token）"
                value={token}
                onChange={(event) => setToken(event.target.value)}
              />
            </Form.Item>
          </Flex>
          <Button type="primary" htmlType="submit" loading={busy} disabled={reading > 0}>
            开始验证
          </Button>
        </Form>
      </Card>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      {verdict !== null && <VerdictView verdict={verdict} />}
      {seals !== null && <SealsView found={seals} />}
    </Flex>
  );
}
