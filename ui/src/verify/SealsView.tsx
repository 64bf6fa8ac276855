// The seals of a file: each with its picture, who, when, whether the document changed since, and its report.
import { Alert, Button, Card, Collapse, Descriptions, Empty, Flex, Tag } from "antd";
import type { Seal, SealsFound } from "./ask";
import { LOOK, StepTable } from "./StepTable";

function changed(seal: Seal): string {
  const steps = seal.details.steps ?? [];
  const hash = steps.find((step) => step.step === "document-hash");
  if (hash?.indication === "failed") return "文件内容在盖章后被改动";
  const row = steps.find((step) => step.step === "later-changes");
  if (row === undefined) return "未检查（不是 PDF，或签名域有误）";
  if (row.indication !== "passed") return row.words;
  return row.words !== "" ? row.words : (row.notes ?? []).join("；") || "盖章后没有改动";
}

function SealCard({ seal, number }: { seal: Seal; number: number }) {
  const look = LOOK[seal.indication];
  const title = seal.seal !== "" ? seal.seal : seal.details.subject;
  const items = [
    { key: "who", label: "签章者", children: seal.signer || "—" },
    { key: "when", label: "签章时间", children: seal.signDate === "" ? "—" : `${seal.signDate}（北京时间）` },
    { key: "where", label: "位置", children: seal.page === null ? "—" : `第 ${seal.page} 页` },
    { key: "changed", label: "盖章后的改动", children: changed(seal) },
    ...(seal.code === 0 ? [] : [{ key: "code", label: "代码", children: String(seal.code) }]),
  ];
  return (
    <Card
      size="small"
      className="seal"
      title={`${number}. ${title}`}
      extra={<Tag color={look.color}>{look.words}</Tag>}
    >
      <Flex gap="middle" align="flex-start" wrap>
        {seal.picture !== "" && <img className="seal-picture" src={seal.picture} alt={`印章图片：${title}`} />}
        <Descriptions column={1} size="small" items={items} style={{ flex: 1, minWidth: 260 }} />
      </Flex>
      <Alert type={look.type} showIcon title={seal.words} style={{ margin: "12px 0" }} />
      <StepTable steps={seal.details.steps ?? []} />
      <Collapse
        style={{ marginTop: 12 }}
        items={[
          {
            key: "all",
            label: "详细报告",
            forceRender: true,
            children: <pre style={{ whiteSpace: "pre-wrap", margin: 0 }}>{seal.text}</pre>,
          },
        ]}
      />
    </Card>
  );
}

export function SealsView({ found }: { found: SealsFound }) {
  const look = LOOK[found.indication];
  return (
    <Card
      title="签章验证报告"
      extra={
        <Button className="no-print" onClick={() => window.print()}>
          打印
        </Button>
      }
    >
      <Flex vertical gap="middle">
        <Alert
          type={look.type}
          showIcon
          title={found.count > 1 ? `共 ${found.count} 处签章：${found.words}` : found.words}
        />
        {found.count === 0 && <Empty description="这个文件没有电子签章" />}
        {found.seals.map((seal, index) => (
          <SealCard key={index} seal={seal} number={index + 1} />
        ))}
      </Flex>
    </Card>
  );
}
