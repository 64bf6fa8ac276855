// A stamp photographed or scanned becomes the picture of a seal; the person compares both and accepts the result.
import { Alert, Button, Card, Flex, InputNumber, Select, Slider, Typography, Upload } from "antd";
import { useState } from "react";
import { base64Of, post, wordsOf } from "@/office/ask";

const MOST = 16 * 1024 * 1024;
const CHECKERS = "repeating-conic-gradient(#ddd 0% 25%, #fff 0% 50%) 0 0 / 16px 16px";
const INKS = [
  { value: "auto", label: "自动" },
  { value: "colour", label: "只取彩色印迹" },
  { value: "dark", label: "全部深色" },
];

interface Found {
  png: string;
  before: string;
  width: number;
  height: number;
  colour: string;
  notes: string[];
}

interface Wish {
  width: number | null;
  height: number | null;
  dpi: number | null;
  ink: string;
  clearing: number;
}

interface Props {
  onAccept: (entries: { width: string; height: string; picture1: string; result: string }) => void;
}

export function StampSampler({ onAccept }: Props) {
  const [picture, setPicture] = useState("");
  const [wish, setWish] = useState<Wish>({ width: null, height: null, dpi: null, ink: "auto", clearing: 50 });
  const [found, setFound] = useState<Found>();
  const [accepted, setAccepted] = useState(false);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  const look = async (given: string, wanted: Wish) => {
    setBusy(true);
    setProblem("");
    setAccepted(false);
    try {
      const asked = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== null));
      setFound(await post<Found>("/admin/seals/sample", { picture: given, ...asked }));
    } catch (error) {
      setFound(undefined);
      setProblem(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  const choose = async (file: File) => {
    if (file.size > MOST) {
      setProblem("图片不得超过 16 MiB");
      return;
    }
    try {
      const given = await base64Of(file);
      setPicture(given);
      await look(given, wish);
    } catch (error) {
      setProblem(wordsOf(error));
    }
  };
  const number = (name: "width" | "height" | "dpi", label: string, max: number) => (
    <Flex align="center" gap={4}>
      <Typography.Text>{label}</Typography.Text>
      <InputNumber
        aria-label={`采样${label}`}
        min={1}
        max={max}
        precision={0}
        style={{ width: 84 }}
        onChange={(value) => setWish({ ...wish, [name]: value })}
      />
    </Flex>
  );
  return (
    <Card size="small" title="采样：盖章的照片或扫描件" style={{ marginBottom: 24 }}>
      <Flex vertical gap="middle">
        <Flex gap="middle" wrap align="center">
          {number("width", "宽（毫米）", 100)}
          {number("height", "高（毫米）", 100)}
          {number("dpi", "扫描精度（dpi）", 4800)}
        </Flex>
        <Flex gap="middle" wrap align="center">
          <Select
            aria-label="提取方式"
            value={wish.ink}
            options={INKS}
            style={{ width: 140 }}
            onChange={(ink) => setWish({ ...wish, ink })}
          />
          <Typography.Text>去淡痕</Typography.Text>
          <Slider
            style={{ width: 160 }}
            value={wish.clearing}
            onChange={(clearing) => setWish({ ...wish, clearing })}
            ariaLabelForHandle="去淡痕"
          />
          <Upload
            accept="image/png,image/jpeg"
            showUploadList={false}
            disabled={busy}
            beforeUpload={(file) => {
              void choose(file);
              return false;
            }}
          >
            <Button type="primary" loading={busy}>
              选择照片
            </Button>
          </Upload>
          {picture !== "" && (
            <Button loading={busy} onClick={() => void look(picture, wish)}>
              重新提取
            </Button>
          )}
        </Flex>
        <Typography.Text type="secondary">
          尺寸以实物量得为准，填一边即可；扫描件通常自带精度，可以不填。照片请正对纸面、光线均匀。
        </Typography.Text>
        {problem !== "" && <Alert type="error" showIcon title={problem} />}
        {found !== undefined && (
          <>
            <Flex gap="large" wrap>
              <Shown title="原件" src={`data:image/jpeg;base64,${found.before}`} />
              <Shown title="提取结果（方格为透明）" src={`data:image/png;base64,${found.png}`} ground={CHECKERS} />
            </Flex>
            <Typography.Text>
              {found.width}×{found.height} 毫米，颜色 {found.colour}
            </Typography.Text>
            {found.notes.map((note) => (
              <Alert key={note} type="warning" showIcon title={note} />
            ))}
            {accepted ? (
              <Alert type="success" showIcon title="已采用，可在下方核对后提交" />
            ) : (
              <Button
                type="primary"
                disabled={busy}
                onClick={() => {
                  onAccept({
                    width: String(found.width),
                    height: String(found.height),
                    picture1: found.before,
                    result: found.png,
                  });
                  setAccepted(true);
                }}
              >
                与原件一致，采用
              </Button>
            )}
          </>
        )}
      </Flex>
    </Card>
  );
}

function Shown({ title, src, ground = "#fff" }: { title: string; src: string; ground?: string }) {
  return (
    <Flex vertical gap={4}>
      <Typography.Text type="secondary">{title}</Typography.Text>
      <img alt={title} src={src} style={{ width: 220, height: 220, objectFit: "contain", background: ground, border: "1px solid #ddd" }} />
    </Flex>
  );
}

interface AcceptedProps {
  label: string;
  transparent: boolean;
  value?: string;
  onChange?: (picture: string | undefined) => void;
}

/** A picture of the form: the one accepted above, or further samples chosen as files. */
export function Accepted({ label, transparent, value, onChange }: AcceptedProps) {
  const [problem, setProblem] = useState("");
  if (transparent)
    return value === undefined ? (
      <Typography.Text type="secondary">在上方采样并采用</Typography.Text>
    ) : (
      <img alt={label} src={`data:image/png;base64,${value}`} style={{ maxHeight: 160, background: CHECKERS }} />
    );
  return (
    <Flex vertical gap="small" align="start">
      {value !== undefined && <img alt={label} src={`data:image/*;base64,${value}`} style={{ maxHeight: 160 }} />}
      <Flex gap="small">
        <Upload
          accept="image/png,image/jpeg"
          showUploadList={false}
          beforeUpload={(file) => {
            if (file.size > 2 * 1024 * 1024) setProblem("图片不得超过 2 MiB");
            else
              base64Of(file).then(
                (given) => {
                  setProblem("");
                  onChange?.(given);
                },
                (error: unknown) => setProblem(wordsOf(error)),
              );
            return false;
          }}
        >
          <Button size="small">选择图片</Button>
        </Upload>
        {value !== undefined && (
          <Button size="small" onClick={() => onChange?.(undefined)}>
            去掉
          </Button>
        )}
      </Flex>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
    </Flex>
  );
}
