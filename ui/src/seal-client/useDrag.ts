// Dragging a seal over the pages: from its card onto a page, or from one place to another, also across pages.
import { useEffect, useRef, useState, type PointerEvent } from "react";
import { PIXELS_PER_MM } from "@/common/pdf";
import type { Point } from "./api";

interface Grabbed {
  /** null: a new one. */
  id: number | null;
  /** Where the seal is held, millimetres from its upper left corner. */
  heldX: number;
  heldY: number;
  startX: number;
  startY: number;
  moved: boolean;
}

interface Hands {
  zoom: number;
  onOver: (at: Point | null) => void;
  onMove: (id: number, at: Point, first: boolean) => void;
  onDrop: (at: Point) => void;
}

const TREMBLE_PIXELS = 4;

/** Millimetres on the page under the pointer; null beside the pages. */
export function pointUnder(x: number, y: number, zoom: number): Point | null {
  const sheet = document.elementsFromPoint(x, y).find((one): one is HTMLElement => one instanceof HTMLElement && one.dataset.page !== undefined);
  if (sheet === undefined) return null;
  const edge = sheet.getBoundingClientRect();
  const scale = PIXELS_PER_MM * zoom;
  return { page: Number(sheet.dataset.page), x: (x - edge.left) / scale, y: (y - edge.top) / scale };
}

export function useDrag(hands: Hands) {
  const [grabbed, setGrabbed] = useState<Grabbed | null>(null);
  const latest = useRef(hands);
  const wasDragged = useRef(false);
  useEffect(() => {
    latest.current = hands;
  });

  useEffect(() => {
    if (grabbed === null) return;
    const held = { ...grabbed };
    const at = (event: globalThis.PointerEvent): Point | null => {
      const under = pointUnder(event.clientX, event.clientY, latest.current.zoom);
      return under && { ...under, x: under.x - held.heldX, y: under.y - held.heldY };
    };
    const move = (event: globalThis.PointerEvent) => {
      const far = Math.hypot(event.clientX - held.startX, event.clientY - held.startY);
      if (!held.moved && far < TREMBLE_PIXELS) return;
      const first = !held.moved;
      held.moved = wasDragged.current = true;
      const over = at(event);
      if (held.id === null) latest.current.onOver(over);
      else if (over !== null) latest.current.onMove(held.id, over, first);
    };
    const drop = (event: globalThis.PointerEvent) => {
      const over = at(event);
      if (held.moved && held.id === null && over !== null) latest.current.onDrop(over);
      if (held.id === null) latest.current.onOver(null);
      setGrabbed(null);
    };
    const leave = () => {
      latest.current.onOver(null);
      setGrabbed(null);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", drop);
    window.addEventListener("pointercancel", leave);
    return () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", drop);
      window.removeEventListener("pointercancel", leave);
    };
  }, [grabbed]);

  const grab = (event: PointerEvent, id: number | null, heldX: number, heldY: number) => {
    if (event.button !== 0) return;
    wasDragged.current = false;
    setGrabbed({ id, heldX, heldY, startX: event.clientX, startY: event.clientY, moved: false });
  };
  /** Whether the click that now comes ended a drag. */
  const endedDrag = () => {
    const was = wasDragged.current;
    wasDragged.current = false;
    return was;
  };
  return { dragging: grabbed !== null, grab, endedDrag };
}
