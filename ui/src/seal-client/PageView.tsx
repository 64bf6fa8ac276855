// One page: drawn when it comes near the window, with what lies on it: earlier seals, found words, seals to be put.
import { memo, useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { drawPage, PIXELS_PER_MM, type PDFDocumentProxy, type RenderTask } from "@/common/pdf";
import type { Piece, Point, Rect, SealInfo, Signature } from "./api";
import type { Placed, Size } from "./placing";
import type { KeywordHit } from "./useHits";

interface Props {
  pdf: PDFDocumentProxy;
  number: number;
  size: Size;
  zoom: number;
  seal: SealInfo | null;
  signatures: Signature[];
  hits: KeywordHit[];
  pieces: Piece[];
  placed: Placed[];
  hover: Point | null;
  hands: Hands;
}

/** What the person's hand does on a page; the same functions for as long as the file is open. */
export interface Hands {
  over: (event: PointerEvent<HTMLDivElement>) => void;
  leave: () => void;
  click: (event: React.MouseEvent<HTMLDivElement>) => void;
  toggle: (hit: number) => void;
  grab: (at: Placed, event: PointerEvent<HTMLDivElement>) => void;
  nudge: (at: Placed, across: number, down: number) => void;
  remove: (at: Placed) => void;
}

/** Drawn anew only when something of its own changes: there may be five hundred, and the pointer moves over one. */
export const PageView = memo(function PageView({ pdf, number, size, zoom, seal, hands, ...on }: Props) {
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
      onPointerMove={hands.over}
      onPointerLeave={hands.leave}
      onClick={hands.click}
    >
      <canvas ref={canvas} />
      {near && <Marks seal={seal} zoom={zoom} hands={hands} {...on} />}
    </div>
  );
});

type MarksProps = Omit<Props, "pdf" | "number" | "size">;

function Marks({ seal, zoom, signatures, hits, pieces, placed, hover, hands }: MarksProps) {
  return (
    <>
      {signatures.map((one, index) => (
        <EarlierSeal key={index} signature={one} zoom={zoom} />
      ))}
      {hits.map((hit) => (
        <Hit key={`h${hit.index}`} at={hit} zoom={zoom} chosen={hit.chosen} onToggle={() => hands.toggle(hit.index)} />
      ))}
      {seal !== null && pieces.map((piece, index) => <PieceView key={`p${index}`} piece={piece} seal={seal} zoom={zoom} />)}
      {seal !== null &&
        placed.map((at) => (
          <Ghost
            key={`g${at.id}`}
            at={at}
            seal={seal}
            zoom={zoom}
            onGrab={(event) => hands.grab(at, event)}
            onNudge={(across, down) => hands.nudge(at, across, down)}
            onRemove={() => hands.remove(at)}
          />
        ))}
      {hover !== null && seal !== null && <Hover x={hover.x} y={hover.y} seal={seal} zoom={zoom} />}
    </>
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

/**
 * A canvas with the page on it, emptied when it is far: five hundred pages do not fit into memory. Its `data-drawn` is the
 * zoom of what is on it, and nothing from the moment that something else should be: hence effects of the layout.
 */
export function useDrawn(pdf: PDFDocumentProxy, number: number, zoom: number, near: boolean) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
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
  useLayoutEffect(() => {
    const on = canvas.current;
    if (near || on === null) return;
    on.width = on.height = 0;
    on.dataset.drawn = "";
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
function EarlierSeal({ signature, zoom }: { signature: Signature; zoom: number }) {
  if (signature.rect === null) return null;
  const words = `已有签章：${signature.name || "未知"}${signature.signer === "" ? "" : `，${signature.signer}`}`;
  return (
    <div
      className={signature.whole === false ? "earlier broken" : "earlier"}
      title={signature.problem === "" ? words : `${words}。${signature.problem}`}
      aria-label={words}
      role="img"
      style={box(signature.rect, PIXELS_PER_MM * zoom)}
    />
  );
}

function Hit({ at, zoom, chosen, onToggle }: { at: Rect; zoom: number; chosen: boolean; onToggle: () => void }) {
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
function Ghost({ at, seal, zoom, onGrab, onNudge, onRemove }: GhostProps) {
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
function Hover({ x, y, seal, zoom }: { x: number; y: number; seal: SealInfo; zoom: number }) {
  return (
    <div className="ghost hover" style={box({ x, y, width: seal.width, height: seal.height }, PIXELS_PER_MM * zoom)}>
      <img src={seal.picture} alt="" draggable={false} />
    </div>
  );
}

/** A page's piece of the paging seal. */
function PieceView({ piece, seal, zoom }: { piece: Piece; seal: SealInfo; zoom: number }) {
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
