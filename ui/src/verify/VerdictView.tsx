// A report in its three depths: one line, the steps, everything; made to be printed.
import { Alert, Button, Card, Collapse, Flex } from "antd";
import type { Verdict } from "./ask";
import { LOOK, StepTable } from "./StepTable";

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
          <StepTable key={number} steps={report.details.steps ?? []} />
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
