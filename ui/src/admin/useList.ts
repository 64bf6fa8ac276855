// A list that the gateway gives, asked for again when something changed.
import { useCallback, useEffect, useState } from "react";
import { get, wordsOf } from "@/office/ask";

export interface Listed<T> {
  rows: T[];
  busy: boolean;
  problem: string;
  again: () => void;
}

export function useList<T>(path: string): Listed<T> {
  const [rows, setRows] = useState<T[]>([]);
  const [busy, setBusy] = useState(true);
  const [problem, setProblem] = useState("");
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true;
    get<T[]>(path)
      .then(
        (found) => {
          if (!current) return;
          setRows(found);
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
  return { rows, busy, problem, again };
}
