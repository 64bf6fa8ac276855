// Places of the seal before it is put, with undo. Millimetres as the page is shown.
import { useCallback, useReducer } from "react";
import type { Paging, Point } from "./api";

export interface Placed extends Point {
  id: number;
}

export interface Places {
  points: Placed[];
  paging: Paging | null;
}

type Act =
  | { do: "add"; points: Point[] }
  | { do: "move"; id: number; to: Point; kept: boolean }
  | { do: "remove"; id: number }
  | { do: "paging"; paging: Paging | null }
  | { do: "clear" }
  | { do: "undo" };

interface State {
  now: Places;
  before: Places[];
  next: number;
}

const NOTHING: Places = { points: [], paging: null };
const START: State = { now: NOTHING, before: [], next: 1 };
const MOST_UNDONE = 100;

function reduce(state: State, act: Act): State {
  const { now } = state;
  switch (act.do) {
    case "add": {
      const added = act.points.map((point, index) => ({ ...point, id: state.next + index }));
      return { ...changed(state, { ...now, points: [...now.points, ...added] }), next: state.next + added.length };
    }
    case "move": {
      const points = now.points.map((one) => (one.id === act.id ? { ...act.to, id: one.id } : one));
      return act.kept ? changed(state, { ...now, points }) : { ...state, now: { ...now, points } };
    }
    case "remove":
      return changed(state, { ...now, points: now.points.filter((one) => one.id !== act.id) });
    case "paging":
      return changed(state, { ...now, paging: act.paging });
    case "clear":
      return START;
    case "undo": {
      const last = state.before.at(-1);
      return last === undefined ? state : { ...state, now: last, before: state.before.slice(0, -1) };
    }
  }
}

const changed = (state: State, now: Places): State => ({
  ...state,
  now,
  before: [...state.before, state.now].slice(-MOST_UNDONE),
});

export function usePlaces() {
  const [state, dispatch] = useReducer(reduce, START);
  return {
    places: state.now,
    canUndo: state.before.length > 0,
    add: useCallback((points: Point[]) => dispatch({ do: "add", points }), []),
    /** `kept`: a step that undo takes back; a drag keeps its first move only. */
    move: useCallback((id: number, to: Point, kept: boolean) => dispatch({ do: "move", id, to, kept }), []),
    remove: useCallback((id: number) => dispatch({ do: "remove", id }), []),
    setPaging: useCallback((paging: Paging | null) => dispatch({ do: "paging", paging }), []),
    clear: useCallback(() => dispatch({ do: "clear" }), []),
    undo: useCallback(() => dispatch({ do: "undo" }), []),
  };
}

export interface Size {
  width: number;
  height: number;
}

/** Inside the page; a seal larger than it starts at its edge. To a tenth of a millimetre. */
export function inside(at: Point, seal: Size, page: Size): Point {
  const keep = (value: number, most: number) => Math.round(Math.min(Math.max(0, value), Math.max(0, most)) * 10) / 10;
  return { page: at.page, x: keep(at.x, page.width - seal.width), y: keep(at.y, page.height - seal.height) };
}

/** Page numbers of `1-3,5`, 全部, 奇数, 偶数; null when it is none of these. */
export function pagesOf(text: string, count: number): number[] | null {
  const all = Array.from({ length: count }, (_, index) => index + 1);
  const plain = text.trim().replaceAll("，", ",").replaceAll("－", "-");
  if (plain === "全部") return all;
  if (plain === "奇数") return all.filter((page) => page % 2 === 1);
  if (plain === "偶数") return all.filter((page) => page % 2 === 0);
  const found = new Set<number>();
  for (const part of plain.split(",")) {
    const match = /^\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?$/.exec(part);
    if (match === null) return null;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (first < 1 || last > count || first > last) return null;
    for (let page = first; page <= last; page++) found.add(page);
  }
  return [...found].sort((one, other) => one - other);
}
