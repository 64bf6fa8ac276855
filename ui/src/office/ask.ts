// What the pages of the signing office ask the gateway (/web/api/…): cookies say who, a header says that it is us.

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly problems: Problem[] = [],
  ) {
    super(message);
  }
}

export interface Problem {
  field: string;
  label: string;
  reason: string;
}

interface Said {
  code?: string;
  message?: string;
  problems?: Problem[];
}

/** Throws Refused with Chinese words. */
export async function get<T>(path: string): Promise<T> {
  return ask<T>(path, { method: "GET" });
}

/** Throws Refused with Chinese words. */
export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  const headers = { "content-type": "application/json", "x-yingqiao": "1" };
  return ask<T>(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function ask<T>(path: string, how: RequestInit): Promise<T> {
  const answer = await fetch(`/web/api${path}`, { ...how, credentials: "same-origin" }).catch(() => {
    throw new Refused(0, "silent", "网关没有应答，请检查网络");
  });
  const said: unknown = await answer.json().catch(() => null);
  if (answer.ok) return said as T;
  const { code, message, problems } = (said ?? {}) as Said;
  if (code === "login") window.dispatchEvent(new Event(SESSION_OVER));
  throw new Refused(answer.status, code ?? "", message ?? `网关答 ${answer.status}`, problems);
}

/** Told to the window when nobody is logged in any more. */
export const SESSION_OVER = "yingqiao-office-session-over";

/** What is answered as a file goes to the person's downloads. Throws Refused with Chinese words. */
export async function fileFrom(path: string, body: unknown, name: string): Promise<void> {
  const headers = { "content-type": "application/json", "x-yingqiao": "1" };
  const how = { method: "POST", headers, body: JSON.stringify(body), credentials: "same-origin" } as const;
  const answer = await fetch(`/web/api${path}`, how).catch(() => {
    throw new Refused(0, "silent", "网关没有应答，请检查网络");
  });
  if (!answer.ok) {
    const { code, message } = ((await answer.json().catch(() => null)) ?? {}) as Said;
    if (code === "login") window.dispatchEvent(new Event(SESSION_OVER));
    throw new Refused(answer.status, code ?? "", message ?? `网关答 ${answer.status}`);
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

export const wordsOf = (error: unknown) => (error instanceof Refused ? error.message : "网页内部错误");

/** Unix ms as Beijing time to the minute. */
export function when(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "";
  return new Date(ms + 8 * 3600_000).toISOString().slice(0, 16).replace("T", " ");
}

/** A file's bytes as base64. */
export function base64Of(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(new Refused(0, "file", "无法读取文件"));
    reader.onload = () => {
      const url = String(reader.result);
      resolve(url.slice(url.indexOf(",") + 1));
    };
    reader.readAsDataURL(file);
  });
}

/** A refusal that says the act stands all the same: its revocation list follows when the device is there. */
export function stands(error: unknown): boolean {
  return error instanceof Refused && error.code === "crl-later";
}
