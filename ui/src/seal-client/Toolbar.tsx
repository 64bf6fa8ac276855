import { Button, Flex, InputNumber, Popover, Radio, Select, Tooltip } from "antd";
import type { Paging, Side, Which } from "./api";

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

const SIDES: { value: Side; label: string }[] = [
  { value: "right", label: "右边" },
  { value: "left", label: "左边" },
  { value: "top", label: "上边" },
  { value: "bottom", label: "下边" },
];

const WHICH: { value: Which; label: string; words: string }[] = [
  { value: "all", label: "全部页", words: "单面打印：每页一片，叠放后在边缘成为整章" },
  { value: "duplex", label: "双面打印", words: "每张纸的正反两面盖同一片，叠放后正反两边都成为整章" },
  { value: "facing", label: "对开（左右两页）", words: "装订成册翻开后，2 与 3、4 与 5 …… 各合成一枚整章" },
  { value: "odd", label: "单数页", words: "只盖单数页" },
  { value: "even", label: "双数页", words: "只盖双数页" },
];

/** 骑缝章: one seal across the edges of all pages. A file of one page has none. */
export function PagingButton({ paging, pages, ready, onChange }: PagingProps) {
  if (pages < 2) {
    return (
      <Tooltip title="只有一页的文件不能盖骑缝章">
        <Button disabled>骑缝章</Button>
      </Tooltip>
    );
  }
  if (paging === null) {
    return (
      <Button disabled={!ready} onClick={() => onChange({ side: "right", offset: null, which: "all", group: null })}>
        骑缝章
      </Button>
    );
  }
  const along = paging.side === "left" || paging.side === "right" ? "距上" : "距左";
  const settings = (
    <Flex vertical gap="small" className="paging-settings">
      <Select
        aria-label="骑缝章盖哪些页"
        options={WHICH}
        value={paging.which}
        onChange={(which: Which) => onChange({ ...paging, which, side: which === "facing" ? "right" : paging.side })}
      />
      <small>{WHICH.find((one) => one.value === paging.which)?.words}</small>
      {paging.which !== "facing" && (
        <Radio.Group
          aria-label="骑缝章在哪一边"
          optionType="button"
          options={SIDES}
          value={paging.side}
          onChange={(event) => onChange({ ...paging, side: event.target.value as Side })}
        />
      )}
      <Flex align="center" gap={8}>
        {along}
        <InputNumber
          aria-label={`骑缝章${along}（毫米）`}
          min={0}
          max={2000}
          placeholder="居中"
          value={paging.offset}
          onChange={(offset) => onChange({ ...paging, offset })}
        />
        毫米
      </Flex>
      {paging.which !== "facing" && (
        <Flex align="center" gap={8}>
          每
          <InputNumber
            aria-label="骑缝章每几页一枚"
            min={2}
            max={1000}
            precision={0}
            placeholder="自动"
            value={paging.group}
            onChange={(group) => onChange({ ...paging, group })}
          />
          {paging.which === "duplex" ? "张纸" : "页"}一枚整章
        </Flex>
      )}
      <Button danger onClick={() => onChange(null)}>
        移除骑缝章
      </Button>
    </Flex>
  );
  return (
    <Popover content={settings} trigger="click" title="骑缝章" defaultOpen>
      <Button type="primary" ghost>
        骑缝章 ✓
      </Button>
    </Popover>
  );
}
