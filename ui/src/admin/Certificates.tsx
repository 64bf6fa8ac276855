// Certificates of doctors; an administrator revokes them.
import { Alert, App, Button, Flex, Modal, Select, Table, Tag } from "antd";
import { useState } from "react";
import { post, stands, when, wordsOf } from "@/office/ask";
import { colourOf } from "@/office/states";
import { REASONS, type Account, type HeldCertificate } from "./kinds";
import { useList } from "./useList";

export function Certificates({ account }: { account: Account }) {
  const { message } = App.useApp();
  const [revoking, setRevoking] = useState<HeldCertificate | null>(null);
  const [reason, setReason] = useState<number>();
  const { rows, busy, problem, again } = useList<HeldCertificate>("/admin/certificates");
  const revoke = async (one: HeldCertificate) => {
    try {
      await post(`/admin/certificates/${one.id}/revoke`, { reason });
      void message.success("已吊销，吊销列表已发布");
    } catch (error) {
      if (!stands(error)) return void message.error(wordsOf(error));
      void message.warning(wordsOf(error));
    }
    setRevoking(null);
    again();
  };
  return (
    <Flex vertical gap="middle">
      <Flex gap="small">
        <Button onClick={again}>刷新</Button>
        <Button href="/web/api/admin/certificates.csv">导出 CSV</Button>
      </Flex>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      <Table<HeldCertificate>
        rowKey="id"
        size="small"
        loading={busy}
        dataSource={rows}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: "还没有证书：医师在手机上激活后签发" }}
        pagination={{ pageSize: 20, hideOnSinglePage: true }}
        columns={[
          { title: "编号", dataIndex: "id" },
          { title: "医师", dataIndex: "doctor" },
          { title: "种类", dataIndex: "profileWords" },
          { title: "状态", render: (_, one) => <Tag color={colourOf(one.state)}>{one.state === "waiting" ? "等待导入" : one.stateWords}</Tag> },
          { title: "医疗机构", dataIndex: "hospitalName" },
          { title: "生效", render: (_, one) => when(one.notBefore) },
          { title: "到期", render: (_, one) => when(one.notAfter) },
          { title: "序列号", dataIndex: "serial" },
          { title: "备注", render: (_, one) => [one.replaced ? "已换新" : "", one.revocationWords].filter(Boolean).join("，") },
          ...(account.role === "admin"
            ? [
                {
                  title: "",
                  fixed: "right" as const, // on a phone the rest scrolls beneath it
                  render: (_: unknown, one: HeldCertificate) =>
                    one.state !== "revoked" && (
                      <Button
                        size="small"
                        danger
                        onClick={() => {
                          setReason(undefined);
                          setRevoking(one);
                        }}
                      >
                        吊销
                      </Button>
                    ),
                },
              ]
            : []),
        ]}
      />
      <Modal
        open={revoking !== null}
        title={`吊销 ${revoking?.doctor ?? ""} 的${revoking?.profileWords ?? ""}`}
        okText="吊销"
        okButtonProps={{ danger: true, disabled: reason === undefined }}
        onOk={() => revoking !== null && void revoke(revoking)}
        onCancel={() => setRevoking(null)}
      >
        <Flex vertical gap="middle">
          <Alert type="warning" showIcon title="吊销不能撤销，吊销列表立即发布" />
          <Select aria-label="吊销原因" placeholder="吊销原因" value={reason} options={REASONS} onChange={setReason} />
        </Flex>
      </Modal>
    </Flex>
  );
}
