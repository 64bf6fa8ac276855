// SM3 (GB/T 32905-2016) and HMAC-SM3.
import { concat, type Bytes } from "./bytes.ts";

const BLOCK = 64;
const START = [
  0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
] as const;

const turn = (x: number, by: number) => (x << by) | (x >>> (32 - by));
const T = Int32Array.from({ length: 64 }, (_, j) => turn(j < 16 ? 0x79cc4519 : 0x7a879d8a, j % 32));

/** 32 bytes. */
export function sm3(...parts: readonly Uint8Array[]): Bytes {
  const padded = pad(concat(...parts));
  const view = new DataView(padded.buffer);
  const state = Int32Array.from(START);
  const words = new Int32Array(68);
  for (let at = 0; at < padded.length; at += BLOCK) compress(state, words, view, at);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, at) => digest.setInt32(4 * at, word));
  return new Uint8Array(digest.buffer);
}

function pad(message: Uint8Array): Bytes {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / BLOCK) * BLOCK);
  padded.set(message);
  padded[message.length] = 0x80;
  new DataView(padded.buffer).setBigUint64(padded.length - 8, 8n * BigInt(message.length));
  return padded;
}

function compress(state: Int32Array, words: Int32Array, block: DataView, at: number): void {
  const w = (j: number) => words[j] as number;
  for (let j = 0; j < 16; j++) words[j] = block.getInt32(at + 4 * j);
  for (let j = 16; j < 68; j++) {
    const x = w(j - 16) ^ w(j - 9) ^ turn(w(j - 3), 15);
    words[j] = x ^ turn(x, 15) ^ turn(x, 23) ^ turn(w(j - 13), 7) ^ w(j - 6);
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let j = 0; j < 64; j++) {
    const twelve = turn(a, 12);
    const ss1 = turn((twelve + e + (T[j] as number)) | 0, 7);
    const ff = j < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
    const gg = j < 16 ? e ^ f ^ g : (e & f) | (~e & g);
    const tt1 = (ff + d + (ss1 ^ twelve) + (w(j) ^ w(j + 4))) | 0;
    const tt2 = (gg + h + ss1 + w(j)) | 0;
    [d, c, b, a] = [c, turn(b, 9), a, tt1];
    [h, g, f, e] = [g, turn(f, 19), e, tt2 ^ turn(tt2, 9) ^ turn(tt2, 17)];
  }
  [a, b, c, d, e, f, g, h].forEach((word, j) => (state[j] = (state[j] as number) ^ word));
}

/** HMAC-SM3, 32 bytes. */
export function macSm3(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(BLOCK);
  whole.set(key.length > BLOCK ? sm3(key) : key);
  const inner = sm3(whole.map((byte) => byte ^ 0x36), ...parts);
  return sm3(whole.map((byte) => byte ^ 0x5c), inner);
}
