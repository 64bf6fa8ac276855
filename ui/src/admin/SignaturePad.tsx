// A handwritten signature: drawn here, or chosen as a picture. Its value is the picture in base64.
import { Alert, Button, Flex, Upload } from "antd";
import { useEffect, useRef, useState, type PointerEvent } from "react";
import { base64Of, wordsOf } from "@/office/ask";

const WIDTH = 480;
const HEIGHT = 180;
const MOST = 2 * 1024 * 1024;

interface Props {
  label: string;
  value?: string;
  onChange?: (picture: string | undefined) => void;
}

export function SignaturePad({ label, value, onChange }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawing = useRef(false);
  const [problem, setProblem] = useState("");
  const [photo, setPhoto] = useState("");

  useEffect(() => {
    if (value === undefined) wipe(canvas.current);
  }, [value]);

  const at = (event: PointerEvent<HTMLCanvasElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    return [((event.clientX - box.left) * WIDTH) / box.width, ((event.clientY - box.top) * HEIGHT) / box.height] as const;
  };
  const begin = (event: PointerEvent<HTMLCanvasElement>) => {
    const pen = event.currentTarget.getContext("2d");
    if (pen === null) return;
    if (photo !== "") wipe(event.currentTarget);
    setPhoto("");
    event.currentTarget.setPointerCapture(event.pointerId);
    drawing.current = true;
    pen.lineWidth = 4;
    pen.lineCap = "round";
    pen.lineJoin = "round";
    pen.strokeStyle = "#111";
    pen.beginPath();
    pen.moveTo(...at(event));
  };
  const move = (event: PointerEvent<HTMLCanvasElement>) => {
    const pen = event.currentTarget.getContext("2d");
    if (!drawing.current || pen === null) return;
    pen.lineTo(...at(event));
    pen.stroke();
  };
  const end = (event: PointerEvent<HTMLCanvasElement>) => {
    if (!drawing.current) return;
    drawing.current = false;
    onChange?.(event.currentTarget.toDataURL("image/png").split(",")[1]);
  };
  const choose = async (file: File) => {
    setProblem("");
    try {
      if (file.size > MOST) throw new Error("图片不得超过 2 MiB");
      const picture = await base64Of(file);
      wipe(canvas.current);
      setPhoto(`data:${file.type};base64,${picture}`);
      onChange?.(picture);
    } catch (error) {
      setProblem(error instanceof Error && file.size > MOST ? error.message : wordsOf(error));
    }
  };
  const shown = photo !== "" && value !== undefined;
  return (
    <Flex vertical gap="small">
      {shown && <img alt={label} src={photo} style={{ maxWidth: WIDTH, maxHeight: HEIGHT, objectFit: "contain" }} />}
      <canvas
        ref={canvas}
        aria-label={`${label}（在此签名）`}
        width={WIDTH}
        height={HEIGHT}
        style={{
          display: shown ? "none" : "block",
          width: "100%",
          maxWidth: WIDTH,
          border: "1px dashed #999",
          touchAction: "none",
          cursor: "crosshair",
        }}
        onPointerDown={begin}
        onPointerMove={move}
        onPointerUp={end}
        onPointerCancel={end}
      />
      <Flex gap="small">
        <Button
          onClick={() => {
            wipe(canvas.current);
            setPhoto("");
            onChange?.(undefined);
          }}
        >
          清除重签
        </Button>
        <Upload
          accept="image/png,image/jpeg"
          showUploadList={false}
          beforeUpload={(file) => {
            void choose(file);
            return false;
          }}
        >
          <Button>选择照片</Button>
        </Upload>
      </Flex>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
    </Flex>
  );
}

/** White paper. */
function wipe(canvas: HTMLCanvasElement | null): void {
  const pen = canvas?.getContext("2d");
  if (!pen) return;
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, WIDTH, HEIGHT);
}
