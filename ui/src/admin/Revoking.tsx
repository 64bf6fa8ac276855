// The question before a certificate is revoked: why, and that it is for ever.
import { Alert, App, Flex, Modal, Select } from "antd";
import { useState } from "react";
import { post, stands, wordsOf } from "@/office/ask";
import { REASONS } from "./kinds";

interface Props {
  title: string;
  path: string;
  warning: string;
  /** `done`: it is revoked. */
  onClose: (done: boolean) => void;
}

export function Revoking({ title, path, warning, onClose }: Props) {
  const { message } = App.useApp();
  const [reason, setReason] = useState<number>();
  const revoke = async () => {
    try {
      await post(path, { reason });
      void message.success("已吊销");
    } catch (error) {
      if (!stands(error)) return void message.error(wordsOf(error));
      void message.warning(wordsOf(error));
    }
    onClose(true);
  };
  return (
    <Modal
      open
      title={title}
      okText="吊销"
      okButtonProps={{ danger: true, disabled: reason === undefined }}
      onOk={() => void revoke()}
      onCancel={() => onClose(false)}
    >
      <Flex vertical gap="middle">
        <Alert type="warning" showIcon title={warning} />
        <Select aria-label="吊销原因" placeholder="吊销原因" value={reason} options={REASONS} onChange={setReason} />
      </Flex>
    </Modal>
  );
}
