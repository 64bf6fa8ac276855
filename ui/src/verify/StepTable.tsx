// The steps of a report as a table, and how the three indications look.
import { Table, Tag, Typography } from "antd";
import type { Indication, Step } from "./ask";

export const LOOK: Record<
  Indication,
  { type: "success" | "error" | "warning"; words: string; color: string }
> = {
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

export function StepTable({ steps }: { steps: Step[] }) {
  return (
    <Table
      size="small"
      pagination={false}
      columns={COLUMNS}
      dataSource={steps.map((step, key) => ({ ...step, key }))}
    />
  );
}
