// For tests/unit/phone: one JSON request a line on standard input, one answer a line. Bytes are hexadecimal.
import { createInterface } from "node:readline";
import { fromHex, toHex, toNumber } from "../src/phone/sm2/bytes.ts";
import { digestFor, pointOfCertificate, z } from "../src/phone/sm2/curve.ts";
import { ProtocolError, offerKey, offerSignature, tagKey, takeKey, type Pending } from "../src/phone/sm2/phone.ts";
import { lock, unlock, weakness } from "../src/phone/sm2/pin.ts";
import { macSm3, sm3 } from "../src/phone/sm2/sm3.ts";

type Request = Record<string, string>;
let pending: Pending | null = null;

const raw = (text: string | undefined) => fromHex(text ?? "");
const scalar = (text: string | undefined) => (text === undefined ? undefined : toNumber(raw(text)));

async function answer(asked: Request): Promise<string> {
  const { session = "", user = "", pin = "" } = asked;
  const d1 = scalar(asked.d1) ?? 0n;
  switch (asked.do) {
    case "sm3":
      return toHex(sm3(raw(asked.message)));
    case "mac":
      return toHex(macSm3(raw(asked.key), raw(asked.message)));
    case "z":
      return toHex(z(raw(asked.public)));
    case "digest":
      return toHex(digestFor(raw(asked.public), raw(asked.message)));
    case "tag-key":
      return toHex(tagKey(d1, user));
    case "offer-key": {
      const made = offerKey(session, user, scalar(asked.d1));
      return `${made.d1.toString(16).padStart(64, "0")} ${toHex(made.offer)}`;
    }
    case "take-key":
      return toHex(takeKey(raw(asked.answer), session, user, d1));
    case "offer": {
      const { job = "" } = asked;
      const wanted = { d1, user, public: raw(asked.public), job, number: Number(asked.number), e: raw(asked.e) };
      pending = offerSignature(wanted, scalar(asked.w1));
      return toHex(pending.offer);
    }
    case "finish":
      return toHex(pending?.finish(raw(asked.answer)) ?? new Uint8Array());
    case "pin": {
      const locked = await lock(d1, pin, 1000);
      const found = await unlock(locked, asked.other ?? "");
      return `${toHex(locked.masked)} ${found.toString(16).padStart(64, "0")}`;
    }
    case "weakness":
      return weakness(pin);
    case "point":
      return toHex(pointOfCertificate(raw(asked.certificate)) ?? new Uint8Array());
    default:
      throw new Error(`unknown: ${asked.do}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify({ found: await answer(JSON.parse(line) as Request) }));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    console.log(JSON.stringify({ refused: error.message }));
  }
}
