// Asks for the certificate password.
import { Button, Input, Popup } from "antd-mobile";
import { useState } from "react";
import type { Key } from "../store.ts";

export function PinSheet({ owner, onDone }: { owner: Key; onDone: (pin: string | null) => void }) {
  const [pin, setPin] = useState("");
  return (
    <Popup visible onMaskClick={() => onDone(null)} bodyClassName="sheet">
      <h3>请输入证书密码</h3>
      <p className="quiet">
        {owner.name} · {owner.hospital}
      </p>
      <PinInput label="证书密码" value={pin} onChange={setPin} autoFocus />
      <div className="row">
        <Button block onClick={() => onDone(null)}>
          取消
        </Button>
        <Button block color="primary" disabled={pin.length !== 6} onClick={() => onDone(pin)}>
          确定
        </Button>
      </div>
    </Popup>
  );
}

interface PinInputProps {
  label: string;
  value: string;
  onChange: (pin: string) => void;
  autoFocus?: boolean;
}

export function PinInput({ label, value, onChange, autoFocus = false }: PinInputProps) {
  return (
    <Input
      className="pin"
      aria-label={label}
      type="password"
      inputMode="numeric"
      autoComplete="off"
      maxLength={6}
      placeholder="6 位数字"
      autoFocus={autoFocus}
      value={value}
      onChange={(text) => onChange(text.replace(/\D/g, ""))}
    />
  );
}
