// The phone's half of two-party SM2, form B, as docs/explanation/sm2.md lays it down.
//
// D1 is only ever held for the time of one step; nothing that tells a right PIN from a wrong one is stored:
// neither P1, nor the tag key, nor any value of the protocol.
import { concat, cut, fixed, frame, toNumber, utf8, type Bytes } from "./bytes.ts";
import { G, N, POINT_SIZE, SIZE, decode, encode, inverse, mod, randomScalar, verifies, type Point } from "./curve.ts";
import { macSm3, sm3 } from "./sm3.ts";

const PROOF = utf8("yingqiao 2P-SM2 proof");
const TAG = utf8("yingqiao 2P-SM2 tag");
const OFFER = utf8("yingqiao 2P-SM2 offer");

/** The other side broke the protocol, or is not who it says it is. */
export class ProtocolError extends Error {}

/** Derived from D1 and the user: the server counts offers whose tag is wrong. */
export function tagKey(d1: bigint, user: string): Bytes {
  return macSm3(fixed(d1, SIZE), TAG, utf8(user));
}

/** A new share D1 and what is sent for it: P1 ‖ c ‖ z ‖ tag key, 161 bytes. */
export function offerKey(session: string, user: string, d1: bigint = randomScalar()): { d1: bigint; offer: Bytes } {
  const secret = inverse(d1);
  const point = G.multiply(secret);
  const nonce = randomScalar();
  const c = challenge(G, point, G.multiply(nonce), session, user);
  const response = mod(nonce + c * secret);
  return { d1, offer: concat(encode(point), fixed(c, SIZE), fixed(response, SIZE), tagKey(d1, user)) };
}

/** P (65 bytes), believed only when the server proves that it knows D2⁻¹ with P + G = D2⁻¹·P1. Throws ProtocolError. */
export function takeKey(answer: Bytes, session: string, user: string, d1: bigint): Bytes {
  try {
    const [raw, c, response] = cut(answer, POINT_SIZE, SIZE, SIZE) as [Bytes, Bytes, Bytes];
    const base = G.multiply(inverse(d1));
    const shared = decode(raw).add(G);
    const commitment = base.mulAddUnsafe(mod(toNumber(response)), shared, mod(-toNumber(c)));
    if (challenge(base, shared, commitment, session, user) === toNumber(c)) return raw;
  } catch {
    // Points off the curve and wrong sizes prove as little as a wrong proof.
  }
  throw new ProtocolError("服务器没有证明它持有自己的密钥分量");
}

/** An offer that waits for its answer. */
export interface Pending {
  /** number ‖ Q1 ‖ e ‖ tag, 133 bytes. */
  offer: Bytes;
  /** number ‖ s, 36 bytes, after (r, s) verified under P. Works once: w1 is gone afterwards. Throws ProtocolError. */
  finish: (answer: Bytes) => Bytes;
}

interface Asked {
  d1: bigint;
  user: string;
  /** P, 65 bytes, as in the certificate. */
  public: Bytes;
  job: string;
  /** From 1, higher than any used for this job before. */
  number: number;
  e: Bytes;
}

/** One attempt at a signature with a fresh w1, which no other call can reach. `w1` is given by tests of known answers only. */
export function offerSignature(asked: Asked, w1: bigint = randomScalar()): Pending {
  const number = fixed(BigInt(asked.number), 4);
  const point = encode(G.multiply(w1));
  const text = frame(OFFER, asked.public, utf8(asked.job), number, point, asked.e);
  const offer = concat(number, point, asked.e, macSm3(tagKey(asked.d1, asked.user), text));
  let secret: bigint | null = w1;
  const finish = (answer: Bytes): Bytes => {
    if (secret === null) throw new ProtocolError("这次签名已用过它的随机数");
    const once = secret;
    secret = null;
    return concat(number, fixed(complete(asked, once, answer), SIZE));
  };
  return { offer, finish };
}

/** s = D1·(s1 + w1) - r. */
function complete(asked: Asked, w1: bigint, answer: Bytes): bigint {
  if (answer.length !== 2 * SIZE) throw new ProtocolError("服务器的应答长度不对");
  const r = toNumber(answer.subarray(0, SIZE));
  const s1 = toNumber(answer.subarray(SIZE));
  if (r === 0n || r >= N || s1 === 0n || s1 >= N) throw new ProtocolError("服务器的应答超出范围");
  const s = mod(asked.d1 * (s1 + w1) - r);
  if (!verifies(asked.public, asked.e, r, s)) throw new ProtocolError("签名结果验证不通过（PIN 码可能不对）");
  return s;
}

function challenge(base: Point, point: Point, commitment: Point, session: string, user: string): bigint {
  const points = [base, point, commitment].map(encode);
  return mod(toNumber(sm3(frame(PROOF, utf8(session), utf8(user), ...points))));
}

