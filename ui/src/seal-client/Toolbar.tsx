import { Button, Flex, InputNumber, Tooltip } from "antd";
import type { Paging } from "./api";

export const ZOOMS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];

interface Props {
  name: string;
  pages: number;
  current: number;
  zoom: number;
  onGo: (page: number) => void;
  onZoom: (zoom: number) => void;
  onFit: () => void;
  children: React.ReactNode;
}

export function Toolbar({ name, pages, current, zoom, onGo, onZoom, onFit, children }: Props) {
  return (
    <header className="bar">
      <span className="title" title={name}>
        {name}
      </span>
      <Flex align="center" gap={4}>
        <InputNumber
          aria-label="页码"
          size="small"
          min={1}
          max={pages}
          value={current}
          onChange={(page) => page !== null && onGo(page)}
          style={{ width: 64 }}
        />
        / {pages} 页
      </Flex>
      <Flex align="center" gap={4}>
        <Button size="small" aria-label="缩小" disabled={zoom <= 0.5} onClick={() => onZoom(next(zoom, -1))}>
          −
        </Button>
        <Tooltip title="回到 100%（1 毫米 = 1 毫米）">
          <Button size="small" className="zoom" aria-label="缩放比例" onClick={() => onZoom(1)}>
            {Math.round(zoom * 100)}%
          </Button>
        </Tooltip>
        <Button size="small" aria-label="放大" disabled={zoom >= 4} onClick={() => onZoom(next(zoom, 1))}>
          +
        </Button>
        <Button size="small" onClick={onFit}>
          适合宽度
        </Button>
      </Flex>
      {children}
    </header>
  );
}

function next(zoom: number, way: 1 | -1): number {
  const near = way === 1 ? ZOOMS.find((one) => one > zoom + 0.01) : ZOOMS.filter((one) => one < zoom - 0.01).at(-1);
  return near ?? zoom;
}

interface PagingProps {
  paging: Paging | null;
  pages: number;
  ready: boolean;
  onChange: (paging: Paging | null) => void;
}

/** 骑缝章: one seal across the edges of all pages; pressed again it is taken away. A file of one page has none. */
export function PagingButton({ paging, pages, ready, onChange }: PagingProps) {
  if (pages < 2) {
    return (
      <Tooltip title="只有一页的文件不能盖骑缝章">
        <Button disabled>骑缝章</Button>
      </Tooltip>
    );
  }
  const on = paging !== null;
  return (
    <Button
      disabled={!ready}
      type={on ? "primary" : "default"}
      ghost={on}
      aria-pressed={on}
      onClick={() => onChange(on ? null : { side: "right", offset: null, which: "all", group: null })}
    >
      骑缝章{on && " ✓"}
    </Button>
  );
}
