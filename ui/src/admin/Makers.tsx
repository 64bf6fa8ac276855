// The gateway's own seal makers: with which certificates seals were made; an administrator revokes one.
import { Alert, Button, Flex, Table, Tag, Typography } from "antd";
import { useState } from "react";
import { when } from "@/office/ask";
import { colourOf } from "@/office/states";
import { Revoking } from "./Revoking";
import type { Maker } from "./kinds";
import { useList } from "./useList";

export function Makers() {
  const { rows, busy, problem, again } = useList<Maker>("/admin/seal-makers");
  const [revoking, setRevoking] = useState<Maker | null>(null);
  if (rows.length === 0 && problem === "") return null; // made with the first seal
  return (
    <Flex vertical gap="small">
      <Typography.Title level={5}>制章者证书</Typography.Title>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      <Table<Maker>
        rowKey="id"
        size="small"
        loading={busy}
        dataSource={rows}
        scroll={{ x: "max-content" }}
        pagination={{ pageSize: 10, hideOnSinglePage: true }}
        columns={[
          { title: "编号", dataIndex: "id" },
          { title: "状态", render: (_, one) => <Tag color={colourOf(one.state)}>{one.stateWords}</Tag> },
          { title: "制作印章数", dataIndex: "seals" },
          { title: "有效期", render: (_, one) => `${when(one.notBefore)} 至 ${when(one.notAfter)}` },
          { title: "吊销时间", render: (_, one) => (one.revokedAt === null ? "" : when(one.revokedAt)) },
          { title: "序列号", dataIndex: "serial" },
          {
            title: "",
            fixed: "right", // on a phone the rest scrolls beneath it
            render: (_, one) =>
              one.state !== "revoked" && (
                <Button size="small" danger onClick={() => setRevoking(one)}>
                  吊销
                </Button>
              ),
          },
        ]}
      />
      {revoking !== null && (
        <Revoking
          title={`吊销制章者证书 ${revoking.id}`}
          path={`/admin/seal-makers/${revoking.id}/revoke`}
          warning={`吊销不能撤销，立即生效。它制作的 ${revoking.seals} 枚印章不能再盖章，须逐枚更新；没有时间戳的签章将无法判定`}
          onClose={(done) => {
            setRevoking(null);
            if (done) again();
          }}
        />
      )}
    </Flex>
  );
}
