// A seal made: which application, which sample, what it is called.
import { Alert, App, Button, Flex, Form, Input, Modal, Select, Spin } from "antd";
import { useState } from "react";
import { post, wordsOf } from "@/office/ask";
import { REPLACING, SEAL_KINDS, type ReadyCase, type Seal } from "./kinds";
import { useList } from "./useList";

interface Entries {
  unitCase: number;
  stampCase: number;
  replaces?: number;
  kind: number;
  holders: number;
  name?: string;
}

const HOLDERS = [
  { value: 1, label: "写入签章证书" },
  { value: 2, label: "写入签章证书的杂凑" },
];
const required = [{ required: true, message: "必填" }];

export function MakeSeal({ seals, onClose }: { seals: Seal[]; onClose: (made: boolean) => void }) {
  const { message } = App.useApp();
  const [form] = Form.useForm<Entries>();
  const chosen = Form.useWatch("unitCase", form);
  const { rows, busy: reading, problem: unread } = useList<ReadyCase>("/admin/seals/ready");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const unit = rows.find((one) => one.id === chosen);
  const replacing = unit !== undefined && REPLACING.includes(unit.business);
  const make = async ({ replaces, name, ...rest }: Entries) => {
    setBusy(true);
    setProblem("");
    try {
      await post("/admin/seals", { ...rest, name: name ?? "", ...(replacing ? { replaces } : {}) });
      void message.success("印章已制作");
      onClose(true);
    } catch (error) {
      setProblem(wordsOf(error));
      setBusy(false);
    }
  };
  const casesOf = (kind: string) =>
    rows
      .filter((one) => one.form === kind && (kind === "unit" || unit === undefined || one.hospital === unit.hospital))
      .map((one) => ({ value: one.id, label: `${one.id} ${one.unitName}${one.business === "" ? "" : ` · ${one.business}`}` }));
  return (
    <Modal open title="制作印章" footer={null} onCancel={() => onClose(false)} destroyOnHidden>
      {reading && <Spin />}
      {unread !== "" && <Alert type="error" showIcon title={unread} />}
      {!reading && (
        <Form form={form} layout="vertical" initialValues={{ kind: 1, holders: 1 }} onFinish={(given) => void make(given)}>
          <Form.Item name="unitCase" label="申请表（附件 5，已通过）" rules={required}>
            <Select options={casesOf("unit")} notFoundContent="没有已通过的申请表" />
          </Form.Item>
          <Form.Item name="stampCase" label="采样表（附件 6，已通过）" rules={required}>
            <Select options={casesOf("stamp")} notFoundContent="没有已通过的采样表" />
          </Form.Item>
          {replacing && (
            <Form.Item name="replaces" label="被更新的印章" rules={required} extra="新印章制成后，原印章不能再用，此前盖的章仍然有效">
              <Select
                options={seals
                  .filter((one) => one.hospital === unit.hospital && !["renewed", "revoked"].includes(one.state))
                  .map((one) => ({ value: one.id, label: `${one.id} ${one.name}（${one.stateWords}）` }))}
              />
            </Form.Item>
          )}
          <Form.Item name="kind" label="种类">
            <Select options={SEAL_KINDS} />
          </Form.Item>
          <Form.Item name="name" label="印章名称" extra="不填为单位名称">
            <Input maxLength={100} autoComplete="off" />
          </Form.Item>
          <Form.Item name="holders" label="签章人">
            <Select options={HOLDERS} />
          </Form.Item>
          <Flex vertical gap="middle">
            {problem !== "" && <Alert type="error" showIcon title={problem} />}
            <Button type="primary" htmlType="submit" loading={busy}>
              制作
            </Button>
          </Flex>
        </Form>
      )}
    </Modal>
  );
}
