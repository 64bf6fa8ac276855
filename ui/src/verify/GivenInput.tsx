// One thing to hand over: drop a file, choose one, or paste text.
import { Button, Flex, Form, Input, Tag, Upload } from "antd";
import { NOTHING, type Given } from "./ask";

interface Props {
  label: string;
  hint: string;
  value: Given;
  onChange: (given: Given) => void;
  onFile: (file: File) => void;
  onError: (words: string) => void;
  /** MiB. */
  largest?: number;
}

const MIB = 1024 * 1024;

export function GivenInput({ label, hint, value, onChange, onFile, onError, largest = 16 }: Props) {
  const take = (file: File) => {
    if (file.size > largest * MIB) onError(`${file.name} 超过 ${largest} MiB`);
    else onFile(file);
    return false;
  };
  return (
    <Form.Item label={label} style={{ marginBottom: 16 }}>
      <Flex gap="small" align="stretch">
        <div style={{ width: 190 }}>
          <Upload.Dragger beforeUpload={take} showUploadList={false} aria-label={`${label}文件`}>
            拖入或选择文件
          </Upload.Dragger>
        </div>
        {value.file === "" ? (
          <Input.TextArea
            aria-label={label}
            rows={3}
            placeholder={hint}
            value={value.text}
            onChange={(event) => onChange({ ...NOTHING, text: event.target.value })}
          />
        ) : (
          <Flex align="center" gap="small">
            <Tag color="cyan">{value.name}</Tag>
            <Button aria-label={`移除${label}`} onClick={() => onChange(NOTHING)}>
              移除
            </Button>
          </Flex>
        )}
      </Flex>
    </Form.Item>
  );
}
