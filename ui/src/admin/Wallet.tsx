// A seal handed out with its key under a PIN, as a file for the seal client.
import { Alert, Button, Flex, Form, Input, Modal } from "antd";
import { useState } from "react";
import { fileFrom, wordsOf } from "@/office/ask";

interface Entries {
  pin: string;
  again: string;
}

export function Wallet({ path, name, onClose }: { path: string; name: string; onClose: () => void }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const save = async ({ pin }: Entries) => {
    setBusy(true);
    setProblem("");
    try {
      await fileFrom(path, { pin }, `${name}.seal.json`);
      onClose();
    } catch (error) {
      setProblem(wordsOf(error));
      setBusy(false);
    }
  };
  return (
    <Modal open title={`导出 ${name}`} footer={null} onCancel={onClose} destroyOnHidden>
      <Form<Entries> layout="vertical" requiredMark={false} onFinish={(entries) => void save(entries)}>
        <Form.Item
          name="pin"
          label="PIN"
          extra="6 至 64 个字符，盖章时输入；忘记了不能找回，只能重新导出"
          rules={[{ required: true, min: 6, max: 64, message: "PIN 应为 6 至 64 个字符" }]}
        >
          <Input.Password autoComplete="new-password" />
        </Form.Item>
        <Form.Item
          name="again"
          label="再输一次 PIN"
          dependencies={["pin"]}
          rules={[
            ({ getFieldValue }) => ({
              validator: (_, value) =>
                value === getFieldValue("pin") ? Promise.resolve() : Promise.reject(new Error("两次输入的 PIN 不同")),
            }),
          ]}
        >
          <Input.Password autoComplete="new-password" />
        </Form.Item>
        <Flex vertical gap="middle">
          <Alert type="warning" showIcon title="文件含印章私钥，请亲手交给保管人；导出会记入印章的经过" />
          {problem !== "" && <Alert type="error" showIcon title={problem} />}
          <Button type="primary" htmlType="submit" loading={busy}>
            导出
          </Button>
        </Flex>
      </Form>
    </Modal>
  );
}
