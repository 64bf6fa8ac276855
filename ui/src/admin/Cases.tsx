// Applications: found, looked at, decided.
import { Alert, Button, Flex, Select, Table, Tag } from "antd";
import { useState } from "react";
import { when } from "@/office/ask";
import { colourOf } from "@/office/states";
import { CaseView } from "./CaseView";
import type { Account, Case, FormKind, Hospital } from "./kinds";
import { useList } from "./useList";

const STATES = [
  { value: "submitted", label: "待审批" },
  { value: "approved", label: "已通过" },
  { value: "rejected", label: "已退回" },
  { value: "withdrawn", label: "已撤回" },
];

interface Props {
  account: Account;
  forms: FormKind[];
  hospitals: Hospital[];
}

export function Cases({ account, forms, hospitals }: Props) {
  const [wanted, setWanted] = useState<Record<string, string>>({});
  const [open, setOpen] = useState<number | null>(null);
  const query = new URLSearchParams(wanted).toString();
  const { rows, busy, problem, again } = useList<Case>(`/admin/cases?${query}`);
  const want = (name: string) => (value: string | undefined) =>
    setWanted((before) => {
      const others = Object.entries(before).filter(([known]) => known !== name);
      return Object.fromEntries(value === undefined ? others : [...others, [name, value]]);
    });
  return (
    <Flex vertical gap="middle">
      <Flex gap="small" wrap>
        <Select aria-label="状态" allowClear placeholder="状态" style={{ width: 120 }} options={STATES} onChange={want("state")} />
        <Select
          aria-label="表单"
          allowClear
          placeholder="表单"
          style={{ width: 320 }}
          options={forms.map((one) => ({ value: one.id, label: one.title }))}
          onChange={want("form")}
        />
        {hospitals.length > 1 && (
          <Select
            aria-label="医疗机构"
            allowClear
            showSearch={{ optionFilterProp: "label" }}
            placeholder="医疗机构"
            style={{ width: 240 }}
            options={hospitals.map((one) => ({ value: one.code, label: one.name }))}
            onChange={want("hospital")}
          />
        )}
        <Button onClick={again}>刷新</Button>
        <Button href={`/web/api/admin/cases.csv?${query}`}>导出 CSV</Button>
      </Flex>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      <Table<Case>
        rowKey="id"
        size="small"
        loading={busy}
        dataSource={rows}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: query === "" ? "还没有申请" : "没有符合条件的申请" }}
        pagination={{ pageSize: 20, hideOnSinglePage: true }}
        columns={[
          { title: "编号", dataIndex: "id" },
          { title: "申请人", dataIndex: "applicant" },
          { title: "表单", dataIndex: "formTitle" },
          { title: "医疗机构", dataIndex: "hospitalName" },
          { title: "状态", render: (_, one) => <Tag color={colourOf(one.state)}>{one.stateWords}</Tag> },
          { title: "提交", render: (_, one) => `${one.submittedBy} ${when(one.submittedAt)}` },
          { title: "处理", render: (_, one) => `${one.decidedBy} ${when(one.decidedAt)}` },
          { title: "退回原因", dataIndex: "reason", width: 200 },
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
        <CaseView
          key={open}
          id={open}
          account={account}
          forms={forms}
          onClose={(changed) => {
            setOpen(null);
            if (changed) again();
          }}
        />
      )}
    </Flex>
  );
}
