// What is hashed, as it is: text, picture or PDF where it is one, else its bytes; always its size and digests.
import { Button } from "antd-mobile";
import { useEffect, useMemo, useState } from "react";
import type { Job } from "../api.ts";
import { digestOfJob } from "../signing.ts";
import { fromBase64, toHex, type Bytes } from "../sm2/bytes.ts";
import { sm3 } from "../sm2/sm3.ts";
import type { Key } from "../store.ts";

const SHOWN_BYTES = 512;

export function Content({ job, signer }: { job: Job; signer: Key }) {
  const raw = useMemo(() => fromBase64(job.data ?? ""), [job.data]);
  const e = useMemo(() => toHex(digestOfJob(signer, job)), [signer, job]);
  return (
    <section className="content">
      <h3>签名内容</h3>
      {job.type === "HASH" ? (
        <p className="warning">业务系统只提供了杂凑值，手机上看不到原文。请确认来源可信，再决定是否签名。</p>
      ) : (
        <Original raw={raw} />
      )}
      <dl>
        <dt>大小</dt>
        <dd>{raw.length.toLocaleString("zh-CN")} 字节</dd>
        <dt>SM3</dt>
        <dd className="hex">{job.type === "HASH" ? toHex(raw) : toHex(sm3(raw))}</dd>
        <dt>签名摘要</dt>
        <dd className="hex">{e}</dd>
      </dl>
    </section>
  );
}

function Original({ raw }: { raw: Bytes }) {
  const kind = kindOf(raw);
  const text = useMemo(() => (kind === "" ? textOf(raw) : null), [raw, kind]);
  if (kind.startsWith("image/")) return <Picture raw={raw} kind={kind} />;
  if (kind === "application/pdf") return <Pdf raw={raw} />;
  if (text !== null) return <pre className="original">{text}</pre>;
  return (
    <>
      <p className="quiet">内容不是文字、图片或 PDF，以十六进制显示{raw.length > SHOWN_BYTES && "前 512 字节"}：</p>
      <pre className="original hex">{toHex(raw.subarray(0, SHOWN_BYTES)).replace(/(..)/g, "$1 ")}</pre>
    </>
  );
}

function useBlobUrl(raw: Bytes, kind: string): string {
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([raw], { type: kind }));
    queueMicrotask(() => setUrl(made));
    return () => URL.revokeObjectURL(made);
  }, [raw, kind]);
  return url;
}

function Picture({ raw, kind }: { raw: Bytes; kind: string }) {
  const url = useBlobUrl(raw, kind);
  return url === "" ? null : <img src={url} alt="要签名的图片" />;
}

function Pdf({ raw }: { raw: Bytes }) {
  const url = useBlobUrl(raw, "application/pdf");
  return (
    <div className="card">
      <p>PDF 文件</p>
      <Button size="small" color="primary" onClick={() => void window.open(url, "_blank")}>
        打开查看
      </Button>
    </div>
  );
}

/** By its first bytes: nothing the sender claims. */
function kindOf(raw: Bytes): string {
  const start = toHex(raw.subarray(0, 8));
  if (start.startsWith("89504e470d0a1a0a")) return "image/png";
  if (start.startsWith("ffd8ff")) return "image/jpeg";
  return start.startsWith("255044462d") ? "application/pdf" : "";
}

/** As UTF-8 text; null when it is none, or would hide characters. */
function textOf(raw: Bytes): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
    return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u202a-\u202e\u2066-\u2069]/.test(text) ? null : text;
  } catch {
    return null;
  }
}
