// What the page asks of the service on this machine. The secret in the page says which visit it is.

export interface Refusal {
  code: string;
  message: string;
}

export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Millimetres from the left and the top of a page as it is shown. */
export interface Rect {
  page: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Signature {
  kind: "seal" | "signature" | "timestamp";
  name: string;
  signer: string;
  time: number | null;
  /** It has a time stamp; what that is worth is a question of trust. */
  stamped: boolean;
  /** Its signatures fit, and the document is what was sealed; null: cannot be told. */
  whole: boolean | null;
  problem: string;
  /** What later revisions did, harmless or not. */
  changes: string[];
  page: number | null;
  rect: Rect | null;
}

/** What the gateway holds of one signature: 0 is trusted, else the code of SEF_VerifySeal. */
export interface Verdict {
  trusted: boolean;
  code: number;
  words: string;
}

/** One a signature, null where the gateway says nothing of it; `words`: why nobody was asked. */
export interface Trust {
  words: string;
  /** It should have judged and did not. */
  missing: boolean;
  verdicts: (Verdict | null)[];
}

export interface Facts {
  pages: number;
  size: number;
  sm3: string;
  sealed: number;
  signatures: Signature[];
  troubles: string[];
}

export interface Opening {
  token: string;
  saveType: "net" | "local";
  savePath: string;
  pagingButton: boolean;
  parallel: boolean;
  origins: string[];
  opener: string;
}

export interface Opened extends Opening, Facts {
  refusal: null;
  name: string;
}

export interface NotOpened extends Opening {
  refusal: Refusal;
}

export interface SealInfo {
  id: string;
  esId: string;
  name: string;
  picture: string;
  width: number;
  height: number;
  validTo: number;
  unusable: string;
}

export interface Point {
  page: number;
  x: number;
  y: number;
}

export type Side = "right" | "left" | "top" | "bottom";

export type Which = "all" | "odd" | "even" | "duplex" | "facing";

export interface Paging {
  side: Side;
  offset: number | null;
  which: Which;
  /** Pages (of duplex: sheets) a seal; null: as many as leave readable slices. */
  group: number | null;
}

export interface Wishes {
  points: Point[];
  paging: Paging | null;
}

/** A piece of a paging seal: where it is, and where in the whole picture (millimetres) it begins. */
export interface Piece extends Rect {
  left: number;
  top: number;
}

export interface Sealed extends Facts {
  parallel: unknown;
  stamped: boolean;
  /** Why there is no time stamp where there should be one. */
  withoutStamp: string;
}

export interface Saved {
  answer: unknown;
  sm3: string;
  size: number;
  stamped: boolean;
}

const secret = document.querySelector<HTMLMetaElement>("meta[name=yingqiao-session]")?.content ?? "";

async function ask(name: string, body: object, options: RequestInit = {}): Promise<Response> {
  const headers = { "content-type": "application/json", "x-yingqiao-session": secret };
  const answer = await fetch(`/PDFClient/api/${name}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    credentials: "omit",
    ...options,
  }).catch(() => {
    throw new Refused("silent", "签章客户端没有应答，请检查它是否在运行");
  });
  if (answer.ok) return answer;
  const said = (await answer.json().catch(() => null)) as Partial<Refusal> | null;
  throw new Refused(said?.code ?? "http", said?.message ?? `签章客户端答 ${answer.status}`);
}

async function json<T>(name: string, body: object = {}): Promise<T> {
  return (await (await ask(name, body)).json()) as T;
}

export const api = {
  open: () => json<Opened | NotOpened>("open"),
  progress: () => json<{ received: number }>("progress"),
  pdf: async () => new Uint8Array(await (await ask("pdf", {})).arrayBuffer()),
  seals: () => json<SealInfo[]>("seals"),
  trust: () => json<Trust>("trust"),
  find: (keyword: string) => json<Rect[]>("find", { keyword }),
  plan: (seal: string, wishes: Wishes) => json<Piece[]>("plan", { seal, wishes }),
  seal: (seal: string, wishes: Wishes, base: string, pin: string) =>
    json<Sealed>("seal", { seal, wishes, base, pin }),
  save: () => json<Saved>("save"),
  /** Also while the page goes away. */
  close: () => ask("close", {}, { keepalive: true }).then(
    () => undefined,
    () => undefined,
  ),
};

export const wordsOf = (error: unknown) => (error instanceof Refused ? error.message : "网页内部错误");
export const codeOf = (error: unknown) => (error instanceof Refused ? error.code : "internal");
