// The person's act: what will be sealed is said once more, and the PIN is asked for every time.
import { Alert, Form, Input, Modal, type InputRef } from "antd";
import { useRef, useState } from "react";
import { wordsOf } from "./api";

interface Props {
  open: boolean;
  summary: string[];
  onSeal: (pin: string) => Promise<void>;
  onCancel: () => void;
}

export function PinDialog({ open, summary, onSeal, onCancel }: Props) {
  const [pin, setPin] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const input = useRef<InputRef>(null);
  const leave = () => {
    setPin("");
    setProblem("");
    onCancel();
  };
  const seal = async () => {
    if (pin === "" || busy) return;
    setBusy(true);
    setProblem("");
    try {
      await onSeal(pin);
    } catch (error) {
      setProblem(wordsOf(error));
      setTimeout(() => input.current?.focus());
    } finally {
      setPin("");
      setBusy(false);
    }
  };
  return (
    <Modal
      open={open}
      title="确认盖章"
      okText="盖章"
      cancelText="返回修改"
      okButtonProps={{ disabled: pin === "" }}
      confirmLoading={busy}
      closable={!busy}
      mask={{ closable: false }}
      onOk={() => void seal()}
      onCancel={leave}
      afterOpenChange={(shown) => shown && input.current?.focus()}
      destroyOnHidden
    >
      <ul aria-label="将要盖的章">
        {summary.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      <Form layout="vertical">
        <Form.Item label="印章 PIN">
          <Input.Password
            ref={input}
            aria-label="印章 PIN"
            autoComplete="off"
            maxLength={64}
            value={pin}
            disabled={busy}
            onChange={(event) => setPin(event.target.value)}
            onPressEnter={() => void seal()}
          />
        </Form.Item>
      </Form>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
    </Modal>
  );
}
