// SM2 (GM/T 0003): the curve of @noble/curves' builder with the standard's parameters, digests and verification.
import { weierstrass, type WeierstrassPoint } from "@noble/curves/abstract/weierstrass.js";
import { concat, fixed, fromHex, toNumber, utf8, type Bytes } from "./bytes.ts";
import { sm3 } from "./sm3.ts";

export type Point = WeierstrassPoint<bigint>;

const CURVE = {
  p: 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn,
  n: 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n,
  h: 1n,
  a: 0xfffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffcn,
  b: 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n,
  Gx: 0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
  Gy: 0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n,
};
const Curve = weierstrass<bigint>(CURVE);

export const N = CURVE.n;
export const G: Point = Curve.BASE;
export const SIZE = 32;
export const POINT_SIZE = 65;
export const DEFAULT_ID = utf8("1234567812345678");

/** The remainder that is not negative. */
export function mod(number: bigint, by: bigint = N): bigint {
  const rest = number % by;
  return rest < 0n ? rest + by : rest;
}

/** number^(n-2): the inverse modulo n, in as many steps whatever the number is. */
export function inverse(number: bigint): bigint {
  let result = 1n;
  for (const bit of (N - 2n).toString(2)) {
    result = (result * result) % N;
    if (bit === "1") result = (result * number) % N;
  }
  return result;
}

/** A fresh scalar in [1, n-1] from the browser's generator. */
export function randomScalar(): bigint {
  return (toNumber(crypto.getRandomValues(new Uint8Array(48))) % (N - 1n)) + 1n;
}

export function encode(point: Point): Bytes {
  return new Uint8Array(point.toBytes(false));
}

/** 65 bytes as a point of the curve, not infinity. Throws when they are none. */
export function decode(raw: Uint8Array): Point {
  if (raw.length !== POINT_SIZE || raw[0] !== 4) throw new RangeError("not a point");
  const point = Curve.fromBytes(raw);
  point.assertValidity();
  return point;
}

/** Z of GM/T 0003.2, 5.5. `point`: 65 bytes. */
export function z(point: Uint8Array, userId: Uint8Array = DEFAULT_ID): Bytes {
  const length = fixed(BigInt(8 * userId.length), 2);
  const curve = [CURVE.a, CURVE.b, CURVE.Gx, CURVE.Gy].map((number) => fixed(number, SIZE));
  return sm3(length, userId, ...curve, point.subarray(1));
}

/** e = SM3(Z ‖ message). */
export function digestFor(point: Uint8Array, message: Uint8Array, userId: Uint8Array = DEFAULT_ID): Bytes {
  return sm3(z(point, userId), message);
}

/** Whether (r, s) is a signature over e under the public point. */
export function verifies(point: Uint8Array, e: Uint8Array, r: bigint, s: bigint): boolean {
  const inRange = (number: bigint) => 0n < number && number < N;
  const t = mod(r + s);
  if (!inRange(r) || !inRange(s) || t === 0n) return false;
  const total = G.mulAddUnsafe(s, decode(point), t);
  return !total.is0() && mod(toNumber(e) + total.toAffine().x) === r;
}

const ALGORITHM = fromHex("301306072a8648ce3d020106082a811ccf5501822d034200");

/** The public point within a certificate's SubjectPublicKeyInfo; null when it holds no SM2 key. */
export function pointOfCertificate(der: Bytes): Bytes | null {
  for (let at = 0; at + ALGORITHM.length + POINT_SIZE <= der.length; at++) {
    if (ALGORITHM.every((byte, more) => der[at + more] === byte)) {
      const start = at + ALGORITHM.length;
      return concat(der.subarray(start, start + POINT_SIZE));
    }
  }
  return null;
}
