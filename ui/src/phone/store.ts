// What the phone keeps, in IndexedDB: services, keys (D1 behind the PIN), and one AES key that never leaves the browser.
import type { Bytes } from "./sm2/bytes.ts";
import type { Locked } from "./sm2/pin.ts";

/** A signing service, as it described itself and as the user calls it. */
export interface Service {
  /** Base address, without a slash at its end. */
  url: string;
  name: string;
  version: string;
  /** Whether certificates may be downloaded by phone number. */
  phoneDownload: boolean;
  handwrittenSeal: boolean;
  sealReview: boolean;
  autoSignMaxMinutes: number;
}

export interface Sealed {
  iv: Bytes;
  sealed: Bytes;
}

/** One key of one user of one service, with its certificate once there is one. */
export interface Key {
  keyId: string;
  service: string;
  user: string;
  name: string;
  hospital: string;
  department: string;
  /** P, 65 bytes. */
  public: Bytes;
  /** D1 behind the PIN, and that again under the browser's AES key. */
  share: Sealed;
  salt: Bytes;
  rounds: number;
  certificateId: string;
  /** DER, base64; "" while it is waited for. */
  certificate: string;
  encryptionCertificate: string;
  /** The request both sides sign, DER in base64; kept until it is signed. */
  request: string;
  remembered: Sealed | null;
  biometric: (Sealed & { credential: Bytes; salt: Bytes }) | null;
}

type Table = "services" | "keys" | "secrets";

let opened: Promise<IDBDatabase> | null = null;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((done, failed) => {
    const request = indexedDB.open("yingqiao-phone", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("services", { keyPath: "url" });
      request.result.createObjectStore("keys", { keyPath: "keyId" });
      request.result.createObjectStore("secrets");
    };
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(new Error("手机浏览器不允许保存数据（请关闭无痕模式）"));
  });
  return opened;
}

async function run<T>(table: Table, mode: IDBTransactionMode, step: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await database()).transaction(table, mode, { durability: "strict" });
  return new Promise((done, failed) => {
    const request = step(transaction.objectStore(table));
    transaction.oncomplete = () => done(request.result);
    transaction.onabort = () => failed(new Error("手机存储空间不足，数据没有保存"));
  });
}

export const services = {
  all: () => run<Service[]>("services", "readonly", (store) => store.getAll()),
  put: (service: Service) => run("services", "readwrite", (store) => store.put(service)),
  remove: (url: string) => run("services", "readwrite", (store) => store.delete(url)),
};

export const keys = {
  all: () => run<Key[]>("keys", "readonly", (store) => store.getAll()),
  put: (key: Key) => run("keys", "readwrite", (store) => store.put(key)),
  remove: (keyId: string) => run("keys", "readwrite", (store) => store.delete(keyId)),
};

/** The AES key of this browser: usable here, readable nowhere. */
async function outerKey(): Promise<CryptoKey> {
  const fresh = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const found = await run<CryptoKey | undefined>("secrets", "readonly", (store) => store.get("outer"));
  if (found !== undefined) return found;
  await run("secrets", "readwrite", (store) => store.put(fresh, "outer"));
  return fresh;
}

export async function seal(plain: Bytes, key?: CryptoKey): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key ?? (await outerKey()), plain);
  return { iv, sealed: new Uint8Array(sealed) };
}

export async function unseal(held: Sealed, key?: CryptoKey): Promise<Bytes> {
  const how = { name: "AES-GCM", iv: held.iv };
  return new Uint8Array(await crypto.subtle.decrypt(how, key ?? (await outerKey()), held.sealed));
}

/** D1 as it is kept. */
export async function sealShare(locked: Locked): Promise<Pick<Key, "share" | "salt" | "rounds">> {
  return { share: await seal(locked.masked), salt: locked.salt, rounds: locked.rounds };
}

export async function openShare(key: Key): Promise<Locked> {
  return { masked: await unseal(key.share), salt: key.salt, rounds: key.rounds };
}
