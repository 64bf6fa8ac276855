// How the paging seal (骑缝章) is cut: over which pages, on which edge, how many pages a seal.
import { Button, Flex, InputNumber, Radio, Select } from "antd";
import { useEffect, useRef } from "react";
import type { Paging, Side, Which } from "./api";

const SIDES: { value: Side; label: string }[] = [
  { value: "right", label: "右边" },
  { value: "left", label: "左边" },
  { value: "top", label: "上边" },
  { value: "bottom", label: "下边" },
];

export const WHICH: { value: Which; label: string; words: string }[] = [
  { value: "all", label: "全部页", words: "单面打印：每页一片，叠放后在边缘成为整章" },
  { value: "duplex", label: "双面打印", words: "每张纸的正反两面盖同一片，叠放后正反两边都成为整章" },
  { value: "facing", label: "对开（左右两页）", words: "装订成册翻开后，2 与 3、4 与 5 …… 各合成一枚整章" },
  { value: "odd", label: "单数页", words: "只盖单数页" },
  { value: "even", label: "双数页", words: "只盖双数页" },
];

interface Props {
  paging: Paging;
  onChange: (paging: Paging | null) => void;
}

export function PagingSettings({ paging, onChange }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    frame.current?.scrollIntoView({ block: "nearest" });
  }, []);
  const fold = paging.which === "facing"; // is between left and right, and joins two
  const along = paging.side === "left" || paging.side === "right" ? "距上" : "距左";
  return (
    <Flex vertical gap="small" ref={frame}>
      <Select
        aria-label="骑缝章盖哪些页"
        options={WHICH}
        value={paging.which}
        onChange={(which: Which) => onChange({ ...paging, which, side: which === "facing" ? "right" : paging.side })}
      />
      <small>{WHICH.find((one) => one.value === paging.which)?.words}</small>
      {!fold && (
        <Radio.Group
          aria-label="骑缝章在哪一边"
          optionType="button"
          size="small"
          options={SIDES}
          value={paging.side}
          onChange={(event) => onChange({ ...paging, side: event.target.value as Side })}
        />
      )}
      <Flex align="center" gap={8}>
        {along}
        <InputNumber
          aria-label={`骑缝章${along}（毫米）`}
          size="small"
          min={0}
          max={2000}
          placeholder="居中"
          value={paging.offset}
          onChange={(offset) => onChange({ ...paging, offset })}
        />
        毫米
      </Flex>
      {!fold && (
        <Flex align="center" gap={8}>
          每
          <InputNumber
            aria-label="骑缝章每几页一枚"
            size="small"
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
      <Button size="small" danger onClick={() => onChange(null)}>
        移除骑缝章
      </Button>
    </Flex>
  );
}
