// Making keys and signatures together with the service.
import { Refused, Unreachable, call, type HeldCertificate, type Job } from "./api.ts";
import { fromBase64, same, toBase64, toHex, type Bytes } from "./sm2/bytes.ts";
import { digestFor, pointOfCertificate } from "./sm2/curve.ts";
import { ProtocolError, offerKey, offerSignature, takeKey } from "./sm2/phone.ts";
import { lock, unlock } from "./sm2/pin.ts";
import { keys, openShare, sealShare, type Key } from "./store.ts";

const MAX_ATTEMPTS = 20;
const NEXT_ATTEMPT = new Set(["attempt-old", "attempt-closed", "attempt-answered", "attempt-expired"]);

export interface Person {
  user: string;
  name: string;
  hospital: string;
  department: string;
}

/** Milliseconds of computing in the last signature, for tests. */
export const computing = { last: 0 };

/** A new key, kept behind `pin` before anything is signed with it. `proof`: an activation code, or a token to update. */
export async function makeKey(
  service: string,
  proof: { code: string } | { token: string },
  person: Person,
  pin: string,
): Promise<Key> {
  const session = toHex(crypto.getRandomValues(new Uint8Array(16)));
  const { d1, offer } = offerKey(session, person.user);
  const locked = await sealShare(await lock(d1, pin));
  const sent = { ...proof, device: deviceName(), session, offer: toBase64(offer) };
  const made = await call<{ keyId: string; answer: string; request: string }>(service, "makeKey", sent);
  const { user, name, hospital, department } = person;
  const key: Key = {
    user,
    name,
    hospital,
    department,
    ...locked,
    service,
    keyId: made.keyId,
    public: takeKey(fromBase64(made.answer), session, person.user, d1),
    certificateId: "",
    certificate: "",
    encryptionCertificate: "",
    request: made.request,
    remembered: null,
    biometric: null,
  };
  await keys.put(key);
  return key;
}

export interface Certified {
  certificate: string | null;
  encryptionCertificate: string | null;
  state: string;
  certificateId: string;
  token: string;
}

/** The request for the certificate signed by both: proof that both have their share. */
export async function requestCertificate(key: Key, pin: string, token?: string): Promise<Certified> {
  const found = await coSign<Certified>(key, pin, `csr:${key.keyId}`, digestFor(key.public, fromBase64(key.request)), token);
  const certificate = found.certificate ?? "";
  if (certificate !== "") mustHold(fromBase64(certificate), key.public);
  const encryptionCertificate = found.encryptionCertificate ?? "";
  await keys.put({ ...key, certificate, encryptionCertificate, certificateId: found.certificateId, request: "" });
  return found;
}

function mustHold(certificate: Bytes, point: Bytes): void {
  const found = pointOfCertificate(certificate);
  if (found === null || !same(found, point)) throw new ProtocolError("证书中的公钥不是这把密钥的公钥");
}

export interface LoggedIn {
  token: string;
  name: string;
  hospital: string;
  certificateState: string;
}

export async function logIn(key: Key, pin: string): Promise<LoggedIn> {
  const { challenge, data } = await call<{ challenge: string; data: string }>(key.service, "challenge", { keyId: key.keyId });
  return coSign<LoggedIn>(key, pin, `login:${challenge}`, digestFor(key.public, fromBase64(data)));
}

/** What the signature is over: e of the standard; a HASH job's data is e itself. */
export function digestOfJob(key: Key, job: Job): Bytes {
  const data = fromBase64(job.data ?? "");
  return job.type === "HASH" ? data : digestFor(key.public, data);
}

export async function signJob(key: Key, pin: string, job: Job, token: string): Promise<{ signature: string }> {
  return coSign(key, pin, `job:${job.id}`, digestOfJob(key, job), token);
}

async function coSign<T>(key: Key, pin: string, job: string, e: Bytes, token?: string): Promise<T> {
  const d1 = await unlock(await openShare(key), pin);
  const wanted = { d1, user: key.user, public: key.public, job, e };
  const more = token === undefined ? {} : { token };
  for (let number = nextAttempt(key, job); number <= MAX_ATTEMPTS; number = nextAttempt(key, job)) {
    const began = performance.now();
    const pending = offerSignature({ ...wanted, number });
    computing.last = performance.now() - began;
    try {
      const asked = { keyId: key.keyId, job, ...more, offer: toBase64(pending.offer) };
      const { answer } = await call<{ answer: string }>(key.service, "offer", asked);
      const resumed = performance.now();
      const finish = toBase64(pending.finish(fromBase64(answer)));
      computing.last += performance.now() - resumed;
      performance.measure("yingqiao.signature", { start: 0, duration: computing.last });
      const found = await call<T>(key.service, "finish", { keyId: key.keyId, job, ...more, finish });
      localStorage.removeItem(attemptKey(key, job));
      return found;
    } catch (error) {
      if (error instanceof Refused && NEXT_ATTEMPT.has(error.code)) continue;
      if (error instanceof Unreachable) throw new Unreachable(`${error.message}；签名是否完成以列表为准`);
      throw error;
    }
  }
  throw new Error("这个任务尝试的次数过多，请让业务系统重新发起");
}

function attemptKey(key: Key, job: string): string {
  return `attempt/${key.keyId}/${job}`;
}

/** Higher than any before, also after a crash: written down before it is used. */
function nextAttempt(key: Key, job: string): number {
  const name = attemptKey(key, job);
  const number = Number(localStorage.getItem(name) ?? "0") + 1;
  localStorage.setItem(name, String(number));
  return number;
}

/** The certificates of the account; what an administrator imported meanwhile is taken over into the key. */
export function certificatesOf(service: string, token: string): Promise<HeldCertificate[]> {
  return call<{ certificates: HeldCertificate[] }>(service, "certificates", { token }).then((found) => found.certificates);
}

function deviceName(): string {
  const kept = localStorage.getItem("device") ?? toHex(crypto.getRandomValues(new Uint8Array(8)));
  localStorage.setItem("device", kept);
  return kept;
}
