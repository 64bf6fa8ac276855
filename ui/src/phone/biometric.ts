// Fingerprint or face instead of the keyboard: the PIN is encrypted under a secret that the phone's authenticator
// gives out only after it recognised its user (WebAuthn, PRF extension).
import { concat, utf8, type Bytes } from "./sm2/bytes.ts";
import { seal, unseal, type Key } from "./store.ts";

interface PrfResults {
  prf?: { enabled?: boolean; results?: { first?: ArrayBuffer } };
}

export async function hasBiometric(): Promise<boolean> {
  if (!("PublicKeyCredential" in window)) return false;
  return PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable().catch(() => false);
}

/** Binds the PIN to the authenticator. Throws with words when the browser cannot, or the user declined. */
export async function bindPin(key: Key, pin: string): Promise<NonNullable<Key["biometric"]>> {
  const made = (await navigator.credentials
    .create({
      publicKey: {
        rp: { name: "影桥协同签名" },
        user: { id: utf8(key.keyId).slice(0, 64), name: key.name, displayName: key.name },
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        pubKeyCredParams: [
          { type: "public-key", alg: -7 },
          { type: "public-key", alg: -257 },
        ],
        authenticatorSelection: { authenticatorAttachment: "platform", userVerification: "required" },
        extensions: { prf: {} } as AuthenticationExtensionsClientInputs,
      },
    })
    .catch(() => null)) as PublicKeyCredential | null;
  if (made === null) throw new Error("没有完成生物特征认证");
  const credential = new Uint8Array(made.rawId);
  const salt = crypto.getRandomValues(new Uint8Array(32));
  return { ...(await seal(utf8(pin), await secretOf(credential, salt))), credential, salt };
}

/** The PIN, once the user was recognised. Throws with words. */
export async function pinByBiometric(held: NonNullable<Key["biometric"]>): Promise<string> {
  return new TextDecoder().decode(await unseal(held, await secretOf(held.credential, held.salt)));
}

async function secretOf(credential: Bytes, salt: Bytes): Promise<CryptoKey> {
  const found = (await navigator.credentials
    .get({
      publicKey: {
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        allowCredentials: [{ type: "public-key", id: credential }],
        userVerification: "required",
        extensions: { prf: { eval: { first: salt } } } as AuthenticationExtensionsClientInputs,
      },
    })
    .catch(() => null)) as PublicKeyCredential | null;
  if (found === null) throw new Error("没有完成生物特征认证");
  const first = (found.getClientExtensionResults() as PrfResults).prf?.results?.first;
  if (first === undefined) throw new Error("本机浏览器的生物特征认证不能保护密码，请使用密码");
  return crypto.subtle.importKey("raw", concat(new Uint8Array(first)).slice(0, 32), "AES-GCM", false, ["encrypt", "decrypt"]);
}
