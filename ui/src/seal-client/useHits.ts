// Places of a keyword, and which of them are chosen.
import { useState } from "react";
import type { Rect } from "./api";

export function useHits() {
  const [hits, setHits] = useState<Rect[]>([]);
  const [chosen, setChosen] = useState<Set<number>>(new Set());
  return {
    hits,
    chosen,
    show: (found: Rect[]) => {
      setHits(found);
      setChosen(new Set(found.length === 1 ? [0] : []));
    },
    toggle: (index: number) =>
      setChosen((before) => {
        const after = new Set(before);
        if (!after.delete(index)) after.add(index);
        return after;
      }),
    all: (all: boolean) => setChosen(new Set(all ? hits.keys() : [])),
  };
}
