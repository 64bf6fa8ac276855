// A report in its three depths: one line, the steps, everything; made to be printed.
import { Alert, Button, Card, Collapse, Flex, Table, Tag, Typography } from "antd";
import type { Indication, Step, Verdict } from "./ask";

const LOOK: Record<Indication, { type: "success" | "error" | "warning"; words: string; color: string }> = {
  passed: { type: "success", words: "通过", color: "green" },
  failed: { type: "error", words: "不通过", color: "red" },
  unknown: { type: "warning", words: "无法判定", color: "gold" },
};

const COLUMNS = [
  { title: "步骤", dataIndex: "name", width: 160 },
  {
    title: "结果",
    dataIndex: "indication",
    width: 110,
    render: (found: Indication) => <Tag color={LOOK[found].color}>{LOOK[found].words}</Tag>,
  },
  {
    title: "说明",
    render: (_: unknown, step: Step) => (
      <>
        {step.words}
        {(step.notes ?? []).map((note) => (
          <div key={note}>
            <Typography.Text type="secondary">· {note}</Typography.Text>
          </div>
        ))}
      </>
    ),
  },
];

export function VerdictView({ verdict }: { verdict: Verdict }) {
  const look = LOOK[verdict.indication];
  const reports = verdict.details.reports ?? [verdict];
  return (
    <Card
      title="验证报告"
      extra={
        <Button className="no-print" onClick={() => window.print()}>
          打印
        </Button>
      }
    >
      <Flex vertical gap="middle">
        <Alert type={look.type} showIcon title={verdict.words} />
        {reports.map((report, number) => (
          <Table
            key={number}
            size="small"
            pagination={false}
            columns={COLUMNS}
            dataSource={(report.details.steps ?? []).map((step, key) => ({ ...step, key }))}
          />
        ))}
        <Collapse
          items={[
            {
              key: "all",
              label: "详细报告",
              forceRender: true,
              children: <pre style={{ whiteSpace: "pre-wrap", margin: 0 }}>{verdict.text}</pre>,
            },
          ]}
        />
      </Flex>
    </Card>
  );
}
