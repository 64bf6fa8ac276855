// The phone API of a service: POST JSON /coss/phone/v1/<name>. Every failure has words for the user.
import type { Service } from "./store.ts";

/** The service said no. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** No answer, or none of a signing service. */
export class Unreachable extends Error {}

/** Told to the window when a service no longer knows the token. */
export const SESSION_OVER = "yingqiao-session-over";
const WAIT_MS = 20_000;
const PATH = "/coss/phone/v1/";

export async function call<T>(service: string, name: string, body: object = {}): Promise<T> {
  const answer = await post(service + PATH + name, body);
  let said: { status?: number; message?: string; data?: unknown };
  try {
    said = (await answer.json()) as typeof said;
  } catch {
    throw new Unreachable("服务的应答无法识别，请核对服务地址");
  }
  if (said.status === 200) return (said.data ?? {}) as T;
  if (said.status === 401) window.dispatchEvent(new Event(SESSION_OVER));
  const code = (said.data as { code?: string } | null | undefined)?.code ?? "";
  throw new Refused(code, said.message ?? "服务没有说明原因", said.status ?? answer.status);
}

async function post(url: string, body: object): Promise<Response> {
  if (location.protocol === "https:" && url.startsWith("http://")) {
    throw new Unreachable("本应用经 https 打开，不能连接 http 的服务，请联系管理员启用 https");
  }
  try {
    return await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(WAIT_MS),
    });
  } catch (error) {
    if (!navigator.onLine) throw new Unreachable("手机没有连接网络");
    if (error instanceof DOMException && error.name === "TimeoutError") throw new Unreachable("服务超时没有应答，请稍后重试");
    throw new Unreachable("连接不上服务，请检查网络与服务地址");
  }
}

/** Words for any failure. */
export function wordsOf(error: unknown): string {
  return error instanceof Error && error.message !== "" ? error.message : "出错了，请重试";
}

/** The base of an address as typed or scanned; "" when it is none. */
export function baseOf(text: string): string {
  const typed = text.trim();
  try {
    const url = new URL(/^https?:\/\//i.test(typed) ? typed : `https://${typed}`);
    return typed === "" ? "" : url.origin + url.pathname.replace(/\/(coss|phone)(\/.*)?$/, "").replace(/\/+$/, "");
  } catch {
    return "";
  }
}

/** What a service says of itself, under the name the user gave it, if any. Throws Refused, Unreachable. */
export async function describe(url: string, ownName = ""): Promise<Service> {
  return serviceOf(url, await call<Partial<Service>>(url, "getServiceInfo"), ownName);
}

/**
 * As `describe`, and where the service says it is now when that is elsewhere; null when it is not, or does not answer there
 * as the same. Throws Refused, Unreachable.
 */
export async function refreshed(url: string): Promise<{ service: Service; moved: Service | null }> {
  const info = await call<Partial<Service>>(url, "getServiceInfo");
  const told = baseOf(info.url ?? "");
  const there = told === "" || told === url ? null : await call<Partial<Service>>(told, "getServiceInfo").catch(() => null);
  const moved = there === null || baseOf(there.url ?? "") !== told ? null : serviceOf(told, there, "");
  return { service: serviceOf(url, info, ""), moved };
}

function serviceOf(url: string, info: Partial<Service>, ownName: string): Service {
  return {
    url,
    name: ownName || info.name || url,
    version: info.version ?? "2.0",
    phoneDownload: info.phoneDownload ?? false,
    handwrittenSeal: info.handwrittenSeal ?? false,
    sealReview: info.sealReview ?? false,
    autoSignMaxMinutes: info.autoSignMaxMinutes ?? 43_200,
  };
}

export interface Job {
  id: string;
  title: string;
  description: string;
  appName: string;
  type: "DATA" | "HASH" | "WEB_SEAL";
  createdAt: number;
  expiresAt: number;
  size: number;
  state: "UNSIGN" | "FINISH" | "EXPIRE";
  result?: boolean | null;
  reason?: string;
  /** Base64, exactly what is hashed; in details only. */
  data?: string;
}

export interface HeldCertificate {
  id: string;
  /** The rest but words and profile is null while the administrator has not imported it. */
  serial: string | null;
  subject: string | null;
  issuer: string | null;
  notBefore: number | null;
  notAfter: number | null;
  state: string | null;
  stateWords: string;
  profile: string;
}

export interface Session {
  service: string;
  keyId: string;
  token: string;
  name: string;
  hospital: string;
  certificateState: string;
}
