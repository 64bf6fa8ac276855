// What is in the file already: each signature with who and when, whether it is whole, and whether the gateway trusts it.
import { Alert, Button, Spin, Tag, Typography } from "antd";
import type { Signature, Trust, Verdict } from "./api";

interface Props {
  signatures: Signature[];
  /** null: being asked. */
  trust: Trust | null;
  onGo: (page: number) => void;
}

/** A paging seal adds a field for each page. */
const MOST_CHANGES = 3;
const KINDS: Record<Signature["kind"], string> = { seal: "电子签章", signature: "数字签名", timestamp: "文档时间戳" };

export function Earlier({ signatures, trust, onGo }: Props) {
  return (
    <>
      {trust !== null && trust.words !== "" && <Alert type={trust.missing ? "warning" : "info"} showIcon title={trust.words} />}
      <ol className="earlier-list">
        {signatures.map((one, index) => (
          <li key={index}>
            <One one={one} verdict={trust?.verdicts[index] ?? null} asked={trust !== null} onGo={onGo} />
          </li>
        ))}
      </ol>
    </>
  );
}

function One({ one, verdict, asked, onGo }: { one: Signature; verdict: Verdict | null; asked: boolean; onGo: (page: number) => void }) {
  const { page } = one;
  return (
    <>
      <div className="earlier-name">
        <span>{one.name || KINDS[one.kind]}</span>
        {page === null ? (
          <Typography.Text type="secondary">不显示</Typography.Text>
        ) : (
          <Button type="link" size="small" onClick={() => onGo(page)}>
            第 {page} 页
          </Button>
        )}
      </div>
      <Whole one={one} />
      <Trusted verdict={verdict} asked={asked} />
      <div className="earlier-facts">
        {one.signer !== "" && <div>签章者：{one.signer}</div>}
        <div>
          {one.time === null ? "没有签章时间" : new Date(one.time).toLocaleString("zh-CN")}
          {one.time !== null && (one.stamped ? "（有时间戳）" : "（自称，没有时间戳）")}
        </div>
        {one.changes.length > 0 && (
          <div>
            之后：{one.changes.slice(0, MOST_CHANGES).join("、")}
            {one.changes.length > MOST_CHANGES && ` 等 ${one.changes.length} 项`}
          </div>
        )}
      </div>
      {one.problem !== "" && <Typography.Text type={one.whole === false ? "danger" : "warning"}>{one.problem}</Typography.Text>}
      {verdict !== null && !verdict.trusted && verdict.words !== one.problem && (
        <div>
          <Typography.Text type="warning">
            网关：{verdict.words}（{verdict.code}）
          </Typography.Text>
        </div>
      )}
    </>
  );
}

function Whole({ one }: { one: Signature }) {
  if (one.whole === null) return <Tag>完好与否无法判断</Tag>;
  return one.whole ? <Tag color="success">完好</Tag> : <Tag color="error">已被改动或无效</Tag>;
}

function Trusted({ verdict, asked }: { verdict: Verdict | null; asked: boolean }) {
  if (!asked) return <Spin size="small" aria-label="正在询问网关" />;
  if (verdict === null) return <Tag>可信与否没有判断</Tag>;
  return verdict.trusted ? <Tag color="success">网关验证通过</Tag> : <Tag color="warning">网关没有通过</Tag>;
}
