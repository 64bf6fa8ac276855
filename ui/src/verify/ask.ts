// What the page asks the gateway, and the report that comes back (POST /api/verify/…).

export type Kind = "signature" | "timestamp" | "certificate" | "seal";
export type Indication = "passed" | "failed" | "unknown";

/** What a person handed over: a file's bytes, or text that was pasted. */
export interface Given {
  name: string;
  text: string;
  /** Base64 of a file; "" when it was pasted. */
  file: string;
}

export interface Step {
  step: string;
  name: string;
  indication: Indication;
  reason: string;
  words: string;
  notes?: string[];
}

export interface Verdict {
  indication: Indication;
  step: string;
  reason: string;
  words: string;
  text: string;
  details: { subject: string; steps?: Step[]; reports?: Verdict[] };
}

/** One seal of a file (POST /api/verify/seal). */
export interface Seal extends Verdict {
  code: number;
  page: number | null;
  seal: string;
  signer: string;
  signDate: string;
  /** A data URI, "" when it is no picture a browser shows. */
  picture: string;
}

export interface SealsFound {
  indication: Indication;
  code: number;
  words: string;
  count: number;
  seals: Seal[];
}

export const NOTHING: Given = { name: "", text: "", file: "" };

export const isGiven = (given: Given) => given.text !== "" || given.file !== "";

/** The request's body: originals as bytes or text, everything else as text in any armour. */
export function bodyOf(kind: Kind, given: Record<string, Given>, at: string): Record<string, unknown> {
  const body: Record<string, unknown> = at === "" ? {} : { at };
  if (kind === "seal") {
    for (const name of ["file", "content"]) {
      const one = given[name] ?? NOTHING;
      if (isGiven(one)) body[name] = one.file === "" ? base64Of(one.text) : one.file;
    }
    return body;
  }
  const content = given.content ?? NOTHING;
  if (kind !== "certificate" && isGiven(content)) {
    if (content.file === "") body.contentText = content.text;
    else body.content = content.file;
  }
  for (const name of NEEDED[kind]) {
    const one = given[name] ?? NOTHING;
    if (isGiven(one)) body[name] = one.file === "" ? one.text : asText(one.file);
  }
  return body;
}

function base64Of(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

const NEEDED: Record<Exclude<Kind, "seal">, string[]> = {
  signature: ["signature", "certificate", "token"],
  timestamp: ["token"],
  certificate: ["certificate"],
};

/** A file that is text already (PEM, base64) goes as it is; others as base64. */
function asText(file: string): string {
  const bytes = atob(file);
  return /^[\x09\x0a\x0d\x20-\x7e]*$/.test(bytes) ? bytes : file;
}

export class Refused extends Error {}

/** Throws Refused with Chinese words. */
export async function ask<Answer = Verdict>(
  kind: Kind,
  body: Record<string, unknown>,
  token: string,
): Promise<Answer> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token !== "") headers.authorization = `Bearer ${token}`;
  const answer = await fetch(`/api/verify/${kind}`, { method: "POST", headers, body: JSON.stringify(body) }).catch(
    () => {
      throw new Refused("网关没有应答，请检查网络");
    },
  );
  const said: unknown = await answer.json().catch(() => null);
  if (answer.ok) return said as Answer;
  const words = (said as { message?: string } | null)?.message;
  throw new Refused(answer.status === 404 ? "此地址不提供验证接口，请用管理地址打开" : (words ?? `网关答 ${answer.status}`));
}

export function readFile(file: File): Promise<Given> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(new Refused(`无法读取 ${file.name}`));
    reader.onload = () => {
      const url = String(reader.result);
      resolve({ name: file.name, text: "", file: url.slice(url.indexOf(",") + 1) });
    };
    reader.readAsDataURL(file);
  });
}
