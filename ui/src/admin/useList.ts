// What the gateway gives, asked for again when something changed.
import { useCallback, useEffect, useState } from "react";
import { get, wordsOf } from "@/office/ask";

export interface Asked<T> {
  found: T | undefined;
  busy: boolean;
  problem: string;
  again: () => void;
}

export function useAsked<T>(path: string): Asked<T> {
  const [found, setFound] = useState<T>();
  const [busy, setBusy] = useState(true);
  const [problem, setProblem] = useState("");
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true;
    get<T>(path)
      .then(
        (said) => {
          if (!current) return;
          setFound(said);
          setProblem("");
        },
        (error: unknown) => current && setProblem(wordsOf(error)),
      )
      .finally(() => current && setBusy(false));
    return () => {
      current = false;
    };
  }, [path, turn]);
  const again = useCallback(() => {
    setBusy(true);
    setTurn((before) => before + 1);
  }, []);
  return { found, busy, problem, again };
}

export interface Listed<T> extends Omit<Asked<T[]>, "found"> {
  rows: T[];
}

export function useList<T>(path: string): Listed<T> {
  const { found, ...rest } = useAsked<T[]>(path);
  return { rows: found ?? [], ...rest };
}
