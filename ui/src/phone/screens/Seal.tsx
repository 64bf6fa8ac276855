// The handwritten seal (annex 7, row 18): shown, drawn on the phone, or chosen from the album.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Button, Empty, Toast } from "antd-mobile";
import { useRef, useState, type PointerEvent } from "react";
import { call, wordsOf } from "../api.ts";
import { useSession } from "../app.tsx";
import { Loaded, Page } from "../parts/Page.tsx";

const WIDTH = 800;
const HEIGHT = 400;
/** Characters of a data URL that a service surely takes (512 KiB of picture). */
const MOST = 680_000;

interface Seals {
  picture: string | null;
  waiting: string | null;
}

export function Seal() {
  const { session, service } = useSession();
  const [drawing, setDrawing] = useState(false);
  const [problem, setProblem] = useState("");
  const album = useRef<HTMLInputElement>(null);
  const client = useQueryClient();
  const query = useQuery({
    queryKey: ["seal", session.token],
    queryFn: () => call<Seals>(session.service, "seal", { token: session.token }),
  });
  const upload = async (canvas: HTMLCanvasElement) => {
    const exact = canvas.toDataURL("image/png");
    const sent = exact.length <= MOST ? exact : canvas.toDataURL("image/jpeg", 0.85); // a photo
    const picture = sent.split(",")[1] ?? "";
    setProblem("");
    try {
      const { applied } = await call<{ applied: boolean }>(session.service, "setSeal", { token: session.token, picture });
      Toast.show({ content: applied ? "手写签章已更新" : "已提交，审核通过后生效" });
      setDrawing(false);
      await client.invalidateQueries({ queryKey: ["seal"] });
    } catch (error) {
      setProblem(wordsOf(error));
    }
  };
  const fromAlbum = async (file: File | undefined) => {
    if (file === undefined) return;
    const picture = await createImageBitmap(file).catch(() => null);
    if (picture === null) setProblem("这不是能识别的图片");
    else await upload(fitted(picture));
  };
  return (
    <Page title="手写签章" back="/home">
      {service.sealReview && <p className="quiet">修改后须经管理员审核，通过后才会变更。</p>}
      {problem !== "" && <p className="problem">{problem}</p>}
      {drawing ? (
        <Pad onDone={(canvas) => void upload(canvas)} onCancel={() => setDrawing(false)} />
      ) : (
        <Loaded query={query}>
          {(found) => (
            <>
              <SealPicture words="当前签章" picture={found.picture} />
              {found.waiting !== null && <SealPicture words="等待审核" picture={found.waiting} />}
              <div className="row">
                <Button block color="primary" onClick={() => setDrawing(true)}>
                  修改
                </Button>
                <Button block onClick={() => album.current?.click()}>
                  相册上传
                </Button>
              </div>
            </>
          )}
        </Loaded>
      )}
      <input ref={album} type="file" accept="image/png,image/jpeg" hidden aria-label="签章图片" onChange={(event) => void fromAlbum(event.target.files?.[0])} />
    </Page>
  );
}

function SealPicture({ words, picture }: { words: string; picture: string | null }) {
  return (
    <div className="card">
      <p>{words}</p>
      {picture === null ? (
        <Empty description="还没有签章" />
      ) : (
        <img className="seal" src={`data:${picture.startsWith("/9j/") ? "image/jpeg" : "image/png"};base64,${picture}`} alt={words} />
      )}
    </div>
  );
}

/** A picture within the size of a seal, on nothing. */
function fitted(picture: ImageBitmap): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  const scale = Math.min(1, WIDTH / picture.width, HEIGHT / picture.height);
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function Pad({ onDone, onCancel }: { onDone: (canvas: HTMLCanvasElement) => void; onCancel: () => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drawn, setDrawn] = useState(false);
  const at = (event: PointerEvent<HTMLCanvasElement>): [number, number] => {
    const box = event.currentTarget.getBoundingClientRect();
    return [((event.clientX - box.left) * WIDTH) / box.width, ((event.clientY - box.top) * HEIGHT) / box.height];
  };
  const start = (event: PointerEvent<HTMLCanvasElement>) => {
    const pen = event.currentTarget.getContext("2d");
    if (pen === null) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    Object.assign(pen, { lineWidth: 10, lineCap: "round", lineJoin: "round", strokeStyle: "#111" });
    pen.beginPath();
    pen.moveTo(...at(event));
    setDrawn(true);
  };
  const move = (event: PointerEvent<HTMLCanvasElement>) => {
    const pen = event.currentTarget.getContext("2d");
    if (pen === null || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
    pen.lineTo(...at(event));
    pen.stroke();
  };
  const clear = () => {
    canvas.current?.getContext("2d")?.clearRect(0, 0, WIDTH, HEIGHT);
    setDrawn(false);
  };
  const submit = () => {
    if (canvas.current !== null) onDone(canvas.current);
  };
  return (
    <>
      <p className="quiet">请在框内书写姓名</p>
      <canvas ref={canvas} className="pad" aria-label="手写区" width={WIDTH} height={HEIGHT} onPointerDown={start} onPointerMove={move} />
      <div className="row">
        <Button block onClick={onCancel}>
          取消
        </Button>
        <Button block onClick={clear}>
          重写
        </Button>
        <Button block color="primary" disabled={!drawn} onClick={submit}>
          提交
        </Button>
      </div>
    </>
  );
}
