// Setting an own password: forced at the first login, or whenever one wants.
import { Alert, Button, Flex, Form, Input } from "antd";
import { useState } from "react";
import { wordsOf } from "./ask";

interface Entries {
  old: string;
  fresh: string;
  again: string;
}

export function PasswordForm({ save, oldHint }: { save: (old: string, fresh: string) => Promise<void>; oldHint: string }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async ({ old, fresh }: Entries) => {
    setBusy(true);
    setProblem("");
    try {
      await save(old, fresh);
    } catch (error) {
      setProblem(wordsOf(error));
      setBusy(false);
    }
  };
  return (
    <Form<Entries> layout="vertical" requiredMark={false} onFinish={(entries) => void submit(entries)}>
      <Form.Item name="old" label="原口令" extra={oldHint} rules={[{ required: true, message: "请输入原口令" }]}>
        <Input.Password autoComplete="current-password" />
      </Form.Item>
      <Form.Item
        name="fresh"
        label="新口令"
        extra="8 至 128 个字符，至少含字母、数字、符号中的两种"
        rules={[{ required: true, min: 8, max: 128, message: "口令应为 8 至 128 个字符" }]}
      >
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <Form.Item
        name="again"
        label="再输一次新口令"
        dependencies={["fresh"]}
        rules={[
          ({ getFieldValue }) => ({
            validator: (_, value) =>
              value === getFieldValue("fresh") ? Promise.resolve() : Promise.reject(new Error("两次输入的口令不同")),
          }),
        ]}
      >
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <Flex vertical gap="middle">
        {problem !== "" && <Alert type="error" showIcon title={problem} />}
        <Button type="primary" htmlType="submit" loading={busy} block>
          设置口令
        </Button>
      </Flex>
    </Form>
  );
}
