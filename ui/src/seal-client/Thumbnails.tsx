// The list of pages, drawn small as they come into sight.
import { memo, useEffect, useRef, useState } from "react";
import type { PDFDocumentProxy } from "@/common/pdf";
import type { Size } from "./placing";
import { useDrawn } from "./PageView";

const WIDTH_MM = 24;

interface Props {
  pdf: PDFDocumentProxy;
  sizes: Size[];
  current: number;
  marked: Set<number>;
  onGo: (page: number) => void;
}

export const Thumbnails = memo(function Thumbnails({ pdf, sizes, current, marked, onGo }: Props) {
  return (
    <nav className="thumbnails" aria-label="页面列表">
      {sizes.map((size, index) => (
        <Thumbnail
          key={index}
          pdf={pdf}
          number={index + 1}
          size={size}
          current={current === index + 1}
          marked={marked.has(index + 1)}
          onGo={onGo}
        />
      ))}
    </nav>
  );
});

interface OneProps {
  pdf: PDFDocumentProxy;
  number: number;
  size: Size;
  current: boolean;
  marked: boolean;
  onGo: (page: number) => void;
}

const Thumbnail = memo(function Thumbnail({ pdf, number, size, current, marked, onGo }: OneProps) {
  const button = useRef<HTMLButtonElement>(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = button.current;
    if (element === null) return;
    const watching = new IntersectionObserver(([seen]) => setNear(seen?.isIntersecting ?? false), {
      root: element.parentElement,
      rootMargin: "200px",
    });
    watching.observe(element);
    return () => watching.disconnect();
  }, []);
  useEffect(() => {
    if (current) button.current?.scrollIntoView({ block: "nearest" });
  }, [current]);
  const canvas = useDrawn(pdf, number, WIDTH_MM / size.width, near);
  return (
    <button
      ref={button}
      type="button"
      className={current ? "thumbnail current" : "thumbnail"}
      aria-current={current ? "page" : undefined}
      aria-label={`到第 ${number} 页${marked ? "（将盖章）" : ""}`}
      onClick={() => onGo(number)}
    >
      <canvas ref={canvas} style={{ aspectRatio: `${size.width} / ${size.height}` }} />
      <span>
        {number}
        {marked && " ●"}
      </span>
    </button>
  );
});
