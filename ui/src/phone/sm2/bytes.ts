// Bytes in and out: base64, hexadecimal, numbers of 32 bytes, fields behind their lengths.

export type Bytes = Uint8Array<ArrayBuffer>;

export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text) as Bytes;
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function toHex(raw: Uint8Array): string {
  return Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new RangeError("not hexadecimal");
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => parseInt(text.slice(2 * at, 2 * at + 2), 16));
}

export function toBase64(raw: Uint8Array): string {
  let text = "";
  for (let at = 0; at < raw.length; at += 8192) text += String.fromCharCode(...raw.subarray(at, at + 8192));
  return btoa(text);
}

/** Throws DOMException when `text` is not base64. */
export function fromBase64(text: string): Bytes {
  const held = atob(text);
  return Uint8Array.from({ length: held.length }, (_, at) => held.charCodeAt(at));
}

/** A number as `size` bytes, most significant first. */
export function fixed(number: bigint, size: number): Bytes {
  return fromHex(number.toString(16).padStart(2 * size, "0"));
}

export function toNumber(raw: Uint8Array): bigint {
  return raw.length === 0 ? 0n : BigInt(`0x${toHex(raw)}`);
}

/** The fields one after another, each behind its length (4 bytes). */
export function frame(...fields: readonly Uint8Array[]): Bytes {
  return concat(...fields.flatMap((field) => [fixed(BigInt(field.length), 4), field]));
}

export function same(one: Uint8Array, two: Uint8Array): boolean {
  return one.length === two.length && one.every((byte, at) => byte === two[at]);
}

/** `raw` cut into pieces. Throws RangeError unless they make up the whole. */
export function cut(raw: Bytes, ...sizes: readonly number[]): Bytes[] {
  if (raw.length !== sizes.reduce((sum, size) => sum + size, 0)) throw new RangeError("message size");
  let at = 0;
  return sizes.map((size) => raw.slice(at, (at += size)));
}
