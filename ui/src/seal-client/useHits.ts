// Places of a keyword, and which of them are chosen.
import { useState } from "react";
import type { Rect } from "./api";

export interface KeywordHit extends Rect {
  index: number;
  chosen: boolean;
}

export function useHits() {
  const [hits, setHits] = useState<KeywordHit[]>([]);
  return {
    hits,
    chosen: hits.filter((hit) => hit.chosen),
    show: (found: Rect[]) => setHits(found.map((hit, index) => ({ ...hit, index, chosen: found.length === 1 }))),
    toggle: (index: number) =>
      setHits((before) => before.map((hit) => (hit.index === index ? { ...hit, chosen: !hit.chosen } : hit))),
    all: (all: boolean) => setHits((before) => before.map((hit) => ({ ...hit, chosen: all }))),
  };
}
