// The state every screen shares: services, keys, who is logged in; and asking for the PIN.
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { Refused, SESSION_OVER, call, type Session } from "./api.ts";
import { pinByBiometric } from "./biometric.ts";
import { PinSheet } from "./parts/PinSheet.tsx";
import { utf8 } from "./sm2/bytes.ts";
import { keys as keyTable, seal, services as serviceTable, unseal, type Key, type Service } from "./store.ts";

const CURRENT = "service";
const SESSION = "session";

export interface Kept {
  services: Service[];
  keys: Key[];
}

export interface AppState extends Kept {
  current: Service | null;
  session: Session | null;
  /** The key of who is logged in. */
  key: Key | null;
  choose: (url: string) => void;
  addService: (service: Service) => Promise<void>;
  removeService: (url: string) => Promise<void>;
  /** The service at `from` is now `to`: keys go with it. */
  moveService: (from: string, to: Service) => Promise<void>;
  /** Reads keys and services again. */
  reload: () => Promise<void>;
  enter: (session: Session) => void;
  leave: () => Promise<void>;
  /** Runs `step` with the key's PIN: remembered, by fingerprint, or typed; null when the user gave none. */
  withPin: <T>(key: Key, step: (pin: string) => Promise<T>) => Promise<T | null>;
}

const Context = createContext<AppState | null>(null);

export function useApp(): AppState {
  const found = useContext(Context);
  if (found === null) throw new Error("outside of the app");
  return found;
}

/** The session of who is logged in. Only for screens behind the login. */
export function useSession(): { session: Session; key: Key; service: Service } {
  const { session, key, current } = useApp();
  if (session === null || key === null || current === null) throw new Error("not logged in");
  return { session, key, service: current };
}

export async function readKept(): Promise<Kept> {
  const [services, keys] = await Promise.all([serviceTable.all(), keyTable.all()]);
  return { services, keys };
}

interface Question {
  key: Key;
  answer: (pin: string | null) => void;
}

export function AppProvider({ kept: first, children }: { kept: Kept; children: ReactNode }) {
  const [kept, setKept] = useState(first);
  const [url, setUrl] = useState(() => localStorage.getItem(CURRENT) ?? "");
  const [session, setSession] = useState(readSession);
  const [question, setQuestion] = useState<Question | null>(null);

  const reload = useCallback(async () => setKept(await readKept()), []);
  const enter = useCallback((next: Session) => {
    sessionStorage.setItem(SESSION, JSON.stringify(next));
    localStorage.setItem(CURRENT, next.service);
    setUrl(next.service);
    setSession(next);
  }, []);
  const drop = useCallback(() => {
    sessionStorage.removeItem(SESSION);
    setSession(null);
  }, []);
  useEffect(() => {
    window.addEventListener(SESSION_OVER, drop);
    return () => window.removeEventListener(SESSION_OVER, drop);
  }, [drop]);
  const choose = useCallback(
    (next: string) => {
      localStorage.setItem(CURRENT, next);
      setUrl(next);
      if (session !== null && session.service !== next) drop();
    },
    [session, drop],
  );
  const leave = useCallback(async () => {
    if (session !== null) await call(session.service, "logout", { token: session.token }).catch(() => null);
    drop();
  }, [session, drop]);
  const ask = useCallback((key: Key) => new Promise<string | null>((answer) => setQuestion({ key, answer })), []);
  const withPin = useCallback(
    async <T,>(key: Key, step: (pin: string) => Promise<T>): Promise<T | null> => {
      const known = (await keyTable.all()).find((one) => one.keyId === key.keyId) ?? key;
      const pin = await pinOf(known, ask);
      if (pin === null) return null;
      try {
        return await step(pin);
      } catch (error) {
        if (isWrongPin(error)) await keyTable.put({ ...known, remembered: null }).then(reload);
        throw error;
      }
    },
    [ask, reload],
  );

  const state = useMemo<AppState>(() => {
    const current = kept.services.find((one) => one.url === url) ?? kept.services[0] ?? null;
    const key = kept.keys.find((one) => one.keyId === session?.keyId) ?? null;
    const addService = async (service: Service) => {
      await serviceTable.put(service);
      await reload();
      choose(service.url);
    };
    const removeService = async (gone: string) => {
      await serviceTable.remove(gone);
      await reload();
    };
    const moveService = async (from: string, to: Service) => {
      for (const held of kept.keys) if (held.service === from) await keyTable.put({ ...held, service: to.url });
      await serviceTable.remove(from);
      await addService(to);
    };
    return { ...kept, current, session, key, choose, addService, removeService, moveService, reload, enter, leave, withPin };
  }, [kept, url, session, choose, reload, enter, leave, withPin]);

  return (
    <Context.Provider value={state}>
      {children}
      {question !== null && (
        <PinSheet
          owner={question.key}
          onDone={(pin) => {
            setQuestion(null);
            question.answer(pin);
          }}
        />
      )}
    </Context.Provider>
  );
}

function readSession(): Session | null {
  const held = sessionStorage.getItem(SESSION);
  return held === null ? null : (JSON.parse(held) as Session);
}

async function pinOf(key: Key, ask: (key: Key) => Promise<string | null>): Promise<string | null> {
  if (key.remembered !== null) return new TextDecoder().decode(await unseal(key.remembered));
  if (key.biometric !== null) {
    try {
      return await pinByBiometric(key.biometric);
    } catch {
      return ask(key); // declined, or the finger was not known: the keyboard
    }
  }
  return ask(key);
}

export function isWrongPin(error: unknown): boolean {
  return error instanceof Refused && (error.code === "share-tag" || error.code === "key-locked");
}

/** Keeps the PIN (encrypted under the browser's key), or forgets it. */
export async function rememberPin(key: Key, pin: string | null): Promise<void> {
  await keyTable.put({ ...key, remembered: pin === null ? null : await seal(utf8(pin)) });
}
