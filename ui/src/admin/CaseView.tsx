// One application whole: entries, pictures, what may be done with it.
import { Alert, App, Button, Descriptions, Drawer, Flex, Input, Spin, Tag } from "antd";
import { useEffect, useState } from "react";
import { get, post, when, wordsOf } from "@/office/ask";
import { colourOf } from "@/office/states";
import type { Account, FormField, FormKind, WholeCase } from "./kinds";

interface Props {
  id: number;
  account: Account;
  forms: FormKind[];
  onClose: (changed: boolean) => void;
}

export function CaseView({ id, account, forms, onClose }: Props) {
  const { message } = App.useApp();
  const [whole, setWhole] = useState<WholeCase>();
  const [problem, setProblem] = useState("");
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    get<WholeCase>(`/admin/cases/${id}`).then(setWhole, (error: unknown) => setProblem(wordsOf(error)));
  }, [id]);
  const act = async (name: string, done: string) => {
    setBusy(true);
    setProblem("");
    try {
      await post(`/admin/cases/${id}/${name}`, { reason });
      void message.success(done);
      onClose(true);
    } catch (error) {
      setProblem(wordsOf(error));
      setBusy(false);
    }
  };
  const fields = forms.find((one) => one.id === whole?.form)?.fields ?? [];
  const isOpen = whole?.state === "submitted";
  const isOwn = whole?.submittedBy === account.name;
  return (
    <Drawer open size={640} title={whole?.formTitle ?? "申请"} onClose={() => onClose(false)}>
      <Flex vertical gap="middle">
        {problem !== "" && <Alert type="error" showIcon title={problem} />}
        {whole === undefined && problem === "" && <Spin />}
        {whole !== undefined && (
          <Descriptions
            bordered
            size="small"
            column={1}
            items={[
              { key: "state", label: "状态", children: <Tag color={colourOf(whole.state)}>{whole.stateWords}</Tag> },
              { key: "hospital", label: "医疗机构", children: whole.hospitalName },
              ...fields.map((field) => ({ key: field.name, label: field.label, children: <Entry of={whole} field={field} /> })),
              { key: "submitted", label: "提交", children: `${whole.submittedBy} ${when(whole.submittedAt)}` },
              ...(whole.decidedAt === null
                ? []
                : [{ key: "decided", label: "处理", children: `${whole.decidedBy} ${when(whole.decidedAt)} ${whole.reason}` }]),
            ]}
          />
        )}
        {whole !== undefined && (
          <Flex gap="small" wrap>
            <Button href={`/web/api/admin/cases/${id}/form.pdf`}>打印（PDF）</Button>
            {isOpen && isOwn && account.role === "operator" && (
              <Button danger loading={busy} onClick={() => void act("withdraw", "已撤回")}>
                撤回
              </Button>
            )}
            {isOpen && account.role === "approver" && (
              <Button type="primary" loading={busy} onClick={() => void act("approve", "已通过")}>
                通过
              </Button>
            )}
          </Flex>
        )}
        {isOpen && account.role === "approver" && (
          <Flex gap="small">
            <Input
              aria-label="退回原因"
              placeholder="退回原因"
              maxLength={200}
              value={reason}
              onChange={(event) => setReason(event.target.value)}
            />
            <Button danger disabled={reason.trim() === ""} loading={busy} onClick={() => void act("reject", "已退回")}>
              退回
            </Button>
          </Flex>
        )}
      </Flex>
    </Drawer>
  );
}

function Entry({ of, field }: { of: WholeCase; field: FormField }) {
  const value = of.entries[field.name];
  if (field.kind !== "picture") return <>{value}</>;
  if (value !== true) return null;
  return <img alt={field.label} src={`/web/api/admin/cases/${of.id}/pictures/${field.name}`} style={{ maxWidth: 320, maxHeight: 160 }} />;
}
