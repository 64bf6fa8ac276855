// D1 behind a PIN, so that a wrong PIN gives another D1 and nothing on the phone tells which (no check value).
//
// stored = D1 + K mod n, K = PBKDF2(PIN, salt). The server notices a wrong D1 by its tag and counts.
import { fixed, toNumber, utf8, type Bytes } from "./bytes.ts";
import { SIZE, mod } from "./curve.ts";

export const ROUNDS = 600_000;

export interface Locked {
  masked: Bytes;
  salt: Bytes;
  rounds: number;
}

export async function lock(d1: bigint, pin: string, rounds: number = ROUNDS): Promise<Locked> {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  return { masked: fixed(mod(d1 + (await mask(pin, salt, rounds))), SIZE), salt, rounds };
}

/** A scalar: D1 for the right PIN, another for any other. */
export async function unlock(locked: Locked, pin: string): Promise<bigint> {
  return mod(toNumber(locked.masked) - (await mask(pin, locked.salt, locked.rounds)));
}

/** 48 bytes modulo n: no scalar is likelier than another. */
async function mask(pin: string, salt: Bytes, iterations: number): Promise<bigint> {
  const key = await crypto.subtle.importKey("raw", utf8(pin), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return mod(toNumber(new Uint8Array(await crypto.subtle.deriveBits(how, key, 8 * 48))));
}

/** Why a PIN is not taken; "" when it is. */
export function weakness(pin: string): string {
  if (!/^[0-9]{6}$/.test(pin)) return "证书密码为 6 位数字";
  const steps = new Set(Array.from(pin.slice(1), (digit, at) => Number(digit) - Number(pin[at])));
  const [step] = steps;
  return steps.size === 1 && step !== undefined && Math.abs(step) <= 1 ? "密码过于简单：不能全部相同或连续" : "";
}
