// What the PACS's page hears (window.onmessage): {type, contents}, to registered origins only and never to "*".
import type { Opening } from "./api";

export type Told =
  | { type: "sealOpened"; contents: { token: string; pages: number; sm3: string } }
  | { type: "parallelSignData"; contents: unknown }
  | { type: "sealFinished"; contents: { token: string; savePath: string; sm3: string; size: number; seals: number; stamped: boolean; answer: unknown } }
  | { type: "sealCancelled"; contents: { token: string } }
  | { type: "sealFailed"; contents: { token: string; stage: "open" | "seal" | "save"; code: string; message: string } };

/** The window that embeds or opened the page; null when it stands alone. */
const host = (): Window | null => (window.parent === window ? (window.opener as Window | null) : window.parent);

export function tell(opening: Opening, told: Told): void {
  const window_ = host();
  if (window_ === null) return;
  for (const origin of targets(opening)) window_.postMessage(told, origin);
}

/** The host's origin where the browser says it and it is registered; else every registered one, which the browser
 *  compares with the host's. */
function targets(opening: Opening): string[] {
  const ancestor = window.parent === window ? undefined : window.location.ancestorOrigins?.[0];
  const said = ancestor ?? opening.opener;
  if (said !== "") return opening.origins.includes(said) ? [said] : [];
  return opening.origins.filter((origin) => origin.startsWith("http"));
}
