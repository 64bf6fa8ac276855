// Certificates of doctors; an administrator revokes them.
import { Alert, Button, Flex, Table, Tag } from "antd";
import { useState } from "react";
import { when } from "@/office/ask";
import { colourOf } from "@/office/states";
import { Revoking } from "./Revoking";
import type { Account, HeldCertificate } from "./kinds";
import { useList } from "./useList";

export function Certificates({ account }: { account: Account }) {
  const [revoking, setRevoking] = useState<HeldCertificate | null>(null);
  const { rows, busy, problem, again } = useList<HeldCertificate>("/admin/certificates");
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
                      <Button size="small" danger onClick={() => setRevoking(one)}>
                        吊销
                      </Button>
                    ),
                },
              ]
            : []),
        ]}
      />
      {revoking !== null && (
        <Revoking
          title={`吊销 ${revoking.doctor} 的${revoking.profileWords}`}
          path={`/admin/certificates/${revoking.id}/revoke`}
          warning="吊销不能撤销，本机的 CA 立即发布吊销列表；别处的 CA 签发的，还须请它吊销"
          onClose={(done) => {
            setRevoking(null);
            if (done) again();
          }}
        />
      )}
    </Flex>
  );
}
