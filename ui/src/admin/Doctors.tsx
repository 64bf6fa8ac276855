// The doctors who sign.
import { Alert, App, Button, Flex, Input, Popconfirm, Table, Tag } from "antd";
import { useState } from "react";
import { post, wordsOf } from "@/office/ask";
import type { Account, Doctor } from "./kinds";
import { useList } from "./useList";

export function Doctors({ account }: { account: Account }) {
  const { message } = App.useApp();
  const [search, setSearch] = useState("");
  const { rows, busy, problem, again } = useList<Doctor>("/admin/doctors");
  const act = async (doctor: Doctor, name: string, done: string) => {
    try {
      await post(`/admin/doctors/${doctor.id}/${name}`);
      void message.success(done);
      again();
    } catch (error) {
      void message.error(wordsOf(error));
    }
  };
  const found = rows.filter((one) => `${one.name} ${one.department} ${one.userId} ${one.hospitalName}`.includes(search));
  return (
    <Flex vertical gap="middle">
      <Flex gap="small" wrap>
        <Input.Search aria-label="查找医师" allowClear placeholder="姓名、科室、工号" style={{ width: 260 }} onSearch={setSearch} />
        <Button onClick={again}>刷新</Button>
        <Button href="/web/api/admin/doctors.csv">导出 CSV</Button>
      </Flex>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      <Table<Doctor>
        rowKey="id"
        size="small"
        loading={busy}
        dataSource={found}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: search === "" ? "还没有医师：申请通过后登记在此" : "没有找到" }}
        pagination={{ pageSize: 20, hideOnSinglePage: true }}
        columns={[
          { title: "编号", dataIndex: "id" },
          { title: "姓名", dataIndex: "name" },
          { title: "医疗机构", dataIndex: "hospitalName" },
          { title: "科室", dataIndex: "department" },
          { title: "职称", dataIndex: "title" },
          { title: "工号", dataIndex: "userId" },
          { title: "身份证号", dataIndex: "idNumber" },
          { title: "手机号", dataIndex: "mobile" },
          { title: "手写签名", render: (_, one) => (one.sampled ? "已采样" : "") },
          { title: "状态", render: (_, one) => (one.disabled ? <Tag>停用</Tag> : <Tag color="success">正常</Tag>) },
          ...(account.role === "admin"
            ? [
                {
                  title: "",
                  render: (_: unknown, one: Doctor) => (
                    <Flex gap="small">
                      <Popconfirm
                        title="自助口令恢复为身份证号后六位？"
                        onConfirm={() => void act(one, "reset-password", "已恢复为身份证号后六位")}
                      >
                        <Button size="small">重设口令</Button>
                      </Popconfirm>
                      <Button
                        size="small"
                        danger={!one.disabled}
                        onClick={() => void act(one, one.disabled ? "enable" : "disable", one.disabled ? "已启用" : "已停用")}
                      >
                        {one.disabled ? "启用" : "停用"}
                      </Button>
                    </Flex>
                  ),
                },
              ]
            : []),
        ]}
      />
    </Flex>
  );
}
