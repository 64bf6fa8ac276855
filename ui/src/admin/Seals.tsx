// Electronic seals: made from approved applications, looked at, stopped, renewed.
import { Alert, Button, Flex, Table, Tag } from "antd";
import { useState } from "react";
import { when } from "@/office/ask";
import { colourOf } from "@/office/states";
import { MakeSeal } from "./MakeSeal";
import { SealView } from "./SealView";
import type { Account, Seal } from "./kinds";
import { useList } from "./useList";

export function Seals({ account }: { account: Account }) {
  const [open, setOpen] = useState<number | null>(null);
  const [making, setMaking] = useState(false);
  const { rows, busy, problem, again } = useList<Seal>("/admin/seals");
  return (
    <Flex vertical gap="middle">
      <Flex gap="small" wrap>
        {account.role === "approver" && (
          <Button type="primary" onClick={() => setMaking(true)}>
            制作印章
          </Button>
        )}
        <Button onClick={again}>刷新</Button>
        <Button href="/web/api/admin/seals.csv">导出 CSV</Button>
      </Flex>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      <Table<Seal>
        rowKey="id"
        size="small"
        loading={busy}
        dataSource={rows}
        scroll={{ x: "max-content" }}
        pagination={{ pageSize: 20, hideOnSinglePage: true }}
        columns={[
          { title: "编号", dataIndex: "id" },
          {
            title: "印模",
            render: (_, one) => <img alt={`${one.name} 印模`} src={`/web/api/admin/seals/${one.id}/picture.png`} style={{ height: 40 }} />,
          },
          { title: "名称", dataIndex: "name" },
          { title: "医疗机构", dataIndex: "hospitalName" },
          { title: "种类", dataIndex: "kindWords" },
          { title: "尺寸", render: (_, one) => `${one.width}×${one.height} 毫米` },
          { title: "状态", render: (_, one) => <Tag color={colourOf(one.state)}>{one.stateWords}</Tag> },
          { title: "到期", render: (_, one) => when(one.validAfter) },
          { title: "印章标识", dataIndex: "esId" },
          {
            title: "",
            render: (_, one) => (
              <Button type="link" size="small" onClick={() => setOpen(one.id)}>
                查看
              </Button>
            ),
          },
        ]}
      />
      {open !== null && (
        <SealView
          key={open}
          id={open}
          account={account}
          onClose={() => {
            setOpen(null);
            again();
          }}
        />
      )}
      {making && (
        <MakeSeal
          seals={rows}
          onClose={(made) => {
            setMaking(false);
            if (made) again();
          }}
        />
      )}
    </Flex>
  );
}
