// Scanning (annex 7, rows 3 and 21): the camera, or a picture of the album; then wherever the code leads.
import { Button, Dialog } from "antd-mobile";
import jsQR from "jsqr";
import { useCallback, useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { call, describe, wordsOf } from "../api.ts";
import { useApp } from "../app.tsx";
import { Page } from "../parts/Page.tsx";
import { readCode } from "../scanned.ts";

const EVERY_MS = 200;

export function Scan() {
  const [problem, setProblem] = useState("");
  const follow = useFollow(setProblem);
  const album = useRef<HTMLInputElement>(null);
  const video = useCamera(follow, setProblem);
  const fromAlbum = async (file: File | undefined) => {
    const text = file === undefined ? null : await readPicture(file).catch(() => null);
    if (text === null) setProblem("图片里没有识别到二维码，请换一张清晰的");
    else await follow(text);
  };
  return (
    <Page
      title="扫码"
      right={
        <Button size="small" fill="none" onClick={() => album.current?.click()}>
          相册
        </Button>
      }
    >
      <input
        ref={album}
        type="file"
        accept="image/*"
        hidden
        aria-label="相册图片"
        onChange={(event) => void fromAlbum(event.target.files?.[0])}
      />
      <video ref={video} className="camera" muted playsInline />
      <p className="centre quiet">对准服务、证书激活或签名任务的二维码</p>
      {problem !== "" && <p className="problem">{problem}</p>}
    </Page>
  );
}

/** What happens after a code was read. */
function useFollow(setProblem: (words: string) => void): (text: string) => Promise<void> {
  const { current, services, keys, session, addService, choose } = useApp();
  const navigate = useNavigate();
  return useCallback(
    async (text: string) => {
      setProblem("");
      const found = readCode(text, current?.url ?? "");
      if (found.kind === "unknown" || found.service === "") {
        setProblem("这不是签名服务、证书激活或签名任务的二维码");
        return;
      }
      try {
        const known = services.find((one) => one.url === found.service);
        const service = known ?? (await describe(found.service));
        if (known === undefined) {
          const words = `${service.name}（${service.url}）`;
          if (!(await Dialog.confirm({ title: "添加签名服务", content: words, confirmText: "添加" }))) return;
          await addService(service);
        } else choose(known.url);
        if (found.kind === "activation") void navigate(`/activate?code=${encodeURIComponent(found.code)}`, { replace: true });
        else if (found.kind === "service") void navigate("/login", { replace: true });
        else {
          const here = session?.service === service.url;
          const { jobId } = await call<{ jobId: string }>(service.url, "ticket", { o: found.ticket });
          const hasKey = keys.some((one) => one.service === service.url);
          const next = `/job/${encodeURIComponent(jobId)}?o=${found.ticket}`;
          if (here) void navigate(next, { replace: true });
          else if (service.phoneDownload && !hasKey) void navigate(`/phone?o=${found.ticket}&next=${encodeURIComponent(next)}`, { replace: true });
          else void navigate(`/login?next=${encodeURIComponent(next)}`, { replace: true });
        }
      } catch (error) {
        setProblem(wordsOf(error));
      }
    },
    [current, services, keys, session, addService, choose, navigate, setProblem],
  );
}

function useCamera(onText: (text: string) => Promise<void>, setProblem: (words: string) => void) {
  const video = useRef<HTMLVideoElement>(null);
  const handler = useRef(onText);
  useEffect(() => {
    handler.current = onText;
  }, [onText]);
  useEffect(() => {
    let stream: MediaStream | null = null;
    let timer = 0;
    let last = "";
    let ended = false;
    const look = () => {
      const text = video.current === null ? null : readFrame(video.current);
      if (text === null || text === last) return;
      last = text;
      void handler.current(text);
    };
    const start = async () => {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (ended || video.current === null) return stop();
      video.current.srcObject = stream;
      await video.current.play();
      timer = window.setInterval(look, EVERY_MS);
    };
    const stop = () => {
      window.clearInterval(timer);
      stream?.getTracks().forEach((track) => track.stop());
    };
    start().catch(() => ended || setProblem("用不了摄像头：请允许使用摄像头，或点右上角“相册”选择二维码图片"));
    return () => {
      ended = true;
      stop();
    };
  }, [setProblem]);
  return video;
}

function readFrame(video: HTMLVideoElement): string | null {
  return video.videoWidth === 0 ? null : decode(video, video.videoWidth, video.videoHeight);
}

async function readPicture(file: File): Promise<string | null> {
  const picture = await createImageBitmap(file);
  return decode(picture, picture.width, picture.height);
}

function decode(source: CanvasImageSource, width: number, height: number): string | null {
  const scale = Math.min(1, 1200 / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const drawing = canvas.getContext("2d", { willReadFrequently: true });
  if (drawing === null) return null;
  drawing.drawImage(source, 0, 0, canvas.width, canvas.height);
  const { data } = drawing.getImageData(0, 0, canvas.width, canvas.height);
  return jsQR(data, canvas.width, canvas.height)?.data ?? null;
}
