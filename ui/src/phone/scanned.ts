// What a QR code says: a service, an activation code, or a job to sign.
import { baseOf } from "./api.ts";

export type Scanned =
  | { kind: "service"; service: string }
  | { kind: "activation"; service: string; code: string }
  | { kind: "job"; service: string; ticket: string }
  | { kind: "unknown" };

const TICKET = /^[A-Za-z0-9_-]{24}$/;

/** `current`: the service a thin code (ticket only) is for. */
export function readCode(text: string, current: string): Scanned {
  const bare = text.trim();
  if (TICKET.test(bare)) return { kind: "job", service: current, ticket: bare };
  const found = asObject(bare);
  if (found === null) return /^https?:\/\//i.test(bare) ? serviceOf(bare) : { kind: "unknown" };
  const member = (name: string) => (typeof found[name] === "string" ? found[name] : "");
  const service = baseOf(member("sUrl")) || current;
  if (member("code") !== "") return { kind: "activation", service, code: member("code") };
  if (member("o") !== "") return { kind: "job", service, ticket: member("o") };
  return member("sUrl") === "" ? { kind: "unknown" } : serviceOf(member("sUrl"));
}

function serviceOf(text: string): Scanned {
  const service = baseOf(text);
  return service === "" ? { kind: "unknown" } : { kind: "service", service };
}

function asObject(text: string): Record<string, unknown> | null {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
