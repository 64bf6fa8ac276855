// One page: drawn when it comes near the window, with what lies on it: earlier seals, found words, seals to be put.
import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { drawPage, PIXELS_PER_MM, type PDFDocumentProxy, type RenderTask } from "@/common/pdf";
import type { Piece, Rect, SealInfo, Signature } from "./api";
import type { Placed, Size } from "./placing";

interface Props {
  pdf: PDFDocumentProxy;
  number: number;
  size: Size;
  zoom: number;
  children: ReactNode;
  onPointerMove?: (event: PointerEvent<HTMLDivElement>) => void;
  onPointerLeave?: () => void;
  onClick?: (event: React.MouseEvent<HTMLDivElement>) => void;
}

export function PageView({ pdf, number, size, zoom, children, ...handlers }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const near = useNear(frame);
  const canvas = useDrawn(pdf, number, zoom, near);
  const scale = PIXELS_PER_MM * zoom;
  return (
    <div
      ref={frame}
      className="sheet"
      data-page={number}
      role="group"
      aria-label={`第 ${number} 页`}
      style={{ width: size.width * scale, height: size.height * scale }}
      {...handlers}
    >
      <canvas ref={canvas} />
      {near && children}
    </div>
  );
}

/** Whether the element is in the window or within a screen of it. */
function useNear(of: React.RefObject<HTMLElement | null>): boolean {
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = of.current;
    if (element === null) return;
    const watching = new IntersectionObserver(([seen]) => setNear(seen?.isIntersecting ?? false), {
      rootMargin: "800px",
    });
    watching.observe(element);
    return () => watching.disconnect();
  }, [of]);
  return near;
}

/** A canvas with the page on it, emptied when it is far: five hundred pages do not fit into memory. */
export function useDrawn(pdf: PDFDocumentProxy, number: number, zoom: number, near: boolean) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const on = canvas.current;
    if (!near || on === null) return;
    let task: RenderTask | null = null;
    let gone = false;
    on.dataset.drawn = "";
    void pdf.getPage(number).then((page) => {
      if (gone) return;
      const fresh = document.createElement("canvas");
      task = drawPage(page, fresh, zoom);
      task.promise.then(
        () => {
          if (gone) return;
          on.width = fresh.width;
          on.height = fresh.height;
          on.getContext("2d")?.drawImage(fresh, 0, 0);
          on.dataset.drawn = String(zoom);
        },
        () => undefined,
      );
    });
    return () => {
      gone = true;
      task?.cancel();
    };
  }, [pdf, number, zoom, near]);
  useEffect(() => {
    if (!near && canvas.current !== null) canvas.current.width = canvas.current.height = 0;
  }, [near]);
  return canvas;
}

const box = (at: Omit<Rect, "page">, scale: number) => ({
  left: at.x * scale,
  top: at.y * scale,
  width: at.width * scale,
  height: at.height * scale,
});

/** A frame around a seal that is in the file already: the picture itself is the page's. */
export function EarlierSeal({ signature, zoom }: { signature: Signature; zoom: number }) {
  if (signature.rect === null) return null;
  const words = `已有签章：${signature.name || "未知"}${signature.signer === "" ? "" : `，${signature.signer}`}`;
  return (
    <div
      className={signature.problem === "" ? "earlier" : "earlier broken"}
      title={signature.problem === "" ? words : `${words}。${signature.problem}`}
      aria-label={words}
      role="img"
      style={box(signature.rect, PIXELS_PER_MM * zoom)}
    />
  );
}

export function Hit({ at, zoom, chosen, onToggle }: { at: Rect; zoom: number; chosen: boolean; onToggle: () => void }) {
  return (
    <button
      type="button"
      className={chosen ? "hit chosen" : "hit"}
      aria-pressed={chosen}
      aria-label={`第 ${at.page} 页的关键字`}
      style={box(at, PIXELS_PER_MM * zoom)}
      onClick={(event) => {
        event.stopPropagation();
        onToggle();
      }}
    />
  );
}

interface GhostProps {
  at: Placed;
  seal: SealInfo;
  zoom: number;
  onGrab: (event: PointerEvent<HTMLDivElement>) => void;
  onNudge: (across: number, down: number) => void;
  onRemove: () => void;
}

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** A seal that is to be put: dragged, moved by arrow keys (with Shift ten millimetres), removed by Delete. */
export function Ghost({ at, seal, zoom, onGrab, onNudge, onRemove }: GhostProps) {
  const scale = PIXELS_PER_MM * zoom;
  const pressed = (event: KeyboardEvent) => {
    const step = ARROWS[event.key];
    const far = event.shiftKey ? 10 : 1;
    if (step !== undefined) onNudge(step[0] * far, step[1] * far);
    else if (event.key === "Delete" || event.key === "Backspace") onRemove();
    else return;
    event.preventDefault();
  };
  return (
    <div
      className="ghost"
      role="button"
      tabIndex={0}
      aria-label={`第 ${at.page} 页的印章：距左 ${at.x} 毫米，距上 ${at.y} 毫米。方向键移动，Delete 移除`}
      style={box({ ...at, width: seal.width, height: seal.height }, scale)}
      onPointerDown={onGrab}
      onClick={(event) => event.stopPropagation()}
      onKeyDown={pressed}
    >
      <img src={seal.picture} alt="" draggable={false} />
      <button type="button" className="remove" aria-label="移除此印章" onClick={onRemove} onPointerDown={(event) => event.stopPropagation()}>
        ×
      </button>
    </div>
  );
}

/** The seal under the pointer before it is put. */
export function Hover({ x, y, seal, zoom }: { x: number; y: number; seal: SealInfo; zoom: number }) {
  return (
    <div className="ghost hover" style={box({ x, y, width: seal.width, height: seal.height }, PIXELS_PER_MM * zoom)}>
      <img src={seal.picture} alt="" draggable={false} />
    </div>
  );
}

/** A page's piece of the paging seal. */
export function PieceView({ piece, seal, zoom }: { piece: Piece; seal: SealInfo; zoom: number }) {
  const scale = PIXELS_PER_MM * zoom;
  return (
    <div className="ghost piece" role="img" aria-label={`第 ${piece.page} 页的骑缝章`} style={box(piece, scale)}>
      <img
        src={seal.picture}
        alt=""
        draggable={false}
        style={{
          width: seal.width * scale,
          height: seal.height * scale,
          marginLeft: -piece.left * scale,
          marginTop: -piece.top * scale,
        }}
      />
    </div>
  );
}
