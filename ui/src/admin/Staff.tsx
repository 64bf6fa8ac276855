// Accounts of this page.
import { Alert, App, Button, Flex, Form, Input, Modal, Select, Table, Tag } from "antd";
import { useState } from "react";
import { post, when, wordsOf } from "@/office/ask";
import { ROLES, type Account, type Hospital } from "./kinds";
import { useList } from "./useList";

export function Staff({ account, hospitals }: { account: Account; hospitals: Hospital[] }) {
  const { message } = App.useApp();
  const [adding, setAdding] = useState(false);
  const [resetting, setResetting] = useState<Account | null>(null);
  const { rows, busy, problem, again } = useList<Account>("/admin/staff");
  const act = async (path: string, body: unknown, done: string) => {
    try {
      await post(`/admin/staff${path}`, body);
      void message.success(done);
      setAdding(false);
      setResetting(null);
      again();
    } catch (error) {
      void message.error(wordsOf(error));
    }
  };
  const nameOf = (code: string) => (code === "" ? "全部" : (hospitals.find((one) => one.code === code)?.name ?? code));
  return (
    <Flex vertical gap="middle">
      <Flex gap="small">
        <Button type="primary" onClick={() => setAdding(true)}>
          增加账号
        </Button>
        <Button onClick={again}>刷新</Button>
        <Button href="/web/api/admin/staff.csv">导出 CSV</Button>
      </Flex>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      <Table<Account>
        rowKey="name"
        size="small"
        loading={busy}
        dataSource={rows}
        scroll={{ x: "max-content" }}
        pagination={{ pageSize: 20, hideOnSinglePage: true }}
        columns={[
          { title: "账号", dataIndex: "name" },
          { title: "角色", dataIndex: "roleWords" },
          { title: "医疗机构", render: (_, one) => nameOf(one.hospital) },
          { title: "建立时间", render: (_, one) => when(one.createdAt) },
          {
            title: "状态",
            render: (_, one) =>
              one.disabled ? <Tag>停用</Tag> : one.mustChange ? <Tag color="warning">须改口令</Tag> : <Tag color="success">正常</Tag>,
          },
          {
            title: "",
            render: (_, one) =>
              one.name !== account.name && (
                <Flex gap="small">
                  <Button size="small" onClick={() => setResetting(one)}>
                    重设口令
                  </Button>
                  <Button
                    size="small"
                    danger={!one.disabled}
                    onClick={() =>
                      void act(
                        `/${encodeURIComponent(one.name)}/${one.disabled ? "enable" : "disable"}`,
                        {},
                        one.disabled ? "已启用" : "已停用",
                      )
                    }
                  >
                    {one.disabled ? "启用" : "停用"}
                  </Button>
                </Flex>
              ),
          },
        ]}
      />
      <Modal open={adding} title="增加账号" footer={null} onCancel={() => setAdding(false)} destroyOnHidden>
        <Form<Record<string, string>>
          layout="vertical"
          initialValues={{ hospital: account.hospital, role: "operator" }}
          onFinish={(entries) => void act("", entries, `已增加 ${entries.name ?? ""}`)}
        >
          <Form.Item name="name" label="账号" rules={[{ required: true, message: "必填" }]}>
            <Input maxLength={64} autoComplete="off" />
          </Form.Item>
          <Form.Item name="role" label="角色">
            <Select options={ROLES} />
          </Form.Item>
          <Form.Item name="hospital" label="医疗机构">
            <Select
              disabled={account.hospital !== ""}
              options={[{ value: "", label: "全部" }, ...hospitals.map((one) => ({ value: one.code, label: one.name }))]}
            />
          </Form.Item>
          <PasswordItem />
          <Button type="primary" htmlType="submit">
            增加
          </Button>
        </Form>
      </Modal>
      <Modal
        open={resetting !== null}
        title={`重设 ${resetting?.name ?? ""} 的口令`}
        footer={null}
        onCancel={() => setResetting(null)}
        destroyOnHidden
      >
        <Form<Record<string, string>>
          layout="vertical"
          onFinish={(entries) => void act(`/${encodeURIComponent(resetting?.name ?? "")}/password`, entries, "已重设")}
        >
          <PasswordItem />
          <Button type="primary" htmlType="submit">
            重设
          </Button>
        </Form>
      </Modal>
    </Flex>
  );
}

function PasswordItem() {
  return (
    <Form.Item
      name="password"
      label="首个口令"
      extra="至少 8 个字符，首次登录须修改"
      rules={[{ required: true, min: 8, message: "至少 8 个字符" }]}
    >
      <Input.Password autoComplete="new-password" maxLength={128} />
    </Form.Item>
  );
}
