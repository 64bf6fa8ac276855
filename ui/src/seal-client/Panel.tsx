// Beside the pages: seals to choose, keyword, copies to further pages.
import { Alert, Button, Checkbox, Empty, Flex, Input, Space, Typography } from "antd";
import { useState, type PointerEvent } from "react";
import { api, wordsOf, type Rect, type SealInfo } from "./api";
import { pagesOf } from "./placing";
import type { KeywordHit } from "./useHits";

interface SealsProps {
  seals: SealInfo[];
  chosen: SealInfo | null;
  onChoose: (seal: SealInfo) => void;
  onGrab: (seal: SealInfo, event: PointerEvent<HTMLButtonElement>) => void;
}

export function SealCards({ seals, chosen, onChoose, onGrab }: SealsProps) {
  if (seals.length === 0) return <Empty description="本机没有印章，请管理员放入印章钱包" />;
  return seals.map((seal) => (
    <button
      key={seal.id}
      type="button"
      className={seal.id === chosen?.id ? "seal-card chosen" : "seal-card"}
      aria-pressed={seal.id === chosen?.id}
      disabled={seal.unusable !== ""}
      onClick={() => onChoose(seal)}
      onPointerDown={(event) => onGrab(seal, event)}
    >
      {seal.picture !== "" && <img src={seal.picture} alt="" draggable={false} />}
      <span>
        {seal.name}
        <small>
          {seal.width}×{seal.height} mm，有效期至 {new Date(seal.validTo).toLocaleDateString("zh-CN")}
        </small>
        {seal.unusable !== "" && <Typography.Text type="danger">{seal.unusable}</Typography.Text>}
      </span>
    </button>
  ));
}

interface KeywordProps {
  hits: KeywordHit[];
  ready: boolean;
  onHits: (hits: Rect[]) => void;
  onToggle: (index: number) => void;
  onAll: (all: boolean) => void;
  onPlace: () => void;
  onGo: (page: number) => void;
}

export function Keyword({ hits, ready, onHits, onToggle, onAll, onPlace, onGo }: KeywordProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const count = hits.filter((hit) => hit.chosen).length;
  const search = async (text: string) => {
    setProblem("");
    if (text.trim() === "") {
      onHits([]);
      return;
    }
    setBusy(true);
    try {
      onHits(await api.find(text.trim()));
    } catch (error) {
      onHits([]);
      setProblem(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Input.Search
        aria-label="关键字"
        placeholder="如 审核医师"
        maxLength={64}
        loading={busy}
        enterButton="查找"
        onSearch={(text) => void search(text)}
      />
      {problem !== "" && <Alert type="warning" title={problem} style={{ marginTop: 8 }} />}
      {hits.length > 0 && (
        <>
          <Flex justify="space-between" align="center" style={{ margin: "8px 0" }}>
            <Checkbox checked={count === hits.length} onChange={(event) => onAll(event.target.checked)}>
              共 {hits.length} 处
            </Checkbox>
            <Button size="small" type="primary" ghost disabled={!ready || count === 0} onClick={onPlace}>
              在选中的 {count} 处放置
            </Button>
          </Flex>
          <div className="hits">
            {hits.map((hit) => (
              <div key={hit.index}>
                <Checkbox checked={hit.chosen} onChange={() => onToggle(hit.index)}>
                  第 {hit.page} 页
                </Checkbox>
                <Button type="link" size="small" onClick={() => onGo(hit.page)}>
                  距上 {Math.round(hit.y)} mm
                </Button>
              </div>
            ))}
          </div>
        </>
      )}
    </>
  );
}

/** Copies the place put last to further pages. */
export function FurtherPages({ pages, onCopy }: { pages: number; onCopy: (pages: number[]) => void }) {
  const [text, setText] = useState("");
  const found = pagesOf(text, pages);
  return (
    <>
      <Space.Compact style={{ width: "100%" }}>
        <Input
          aria-label="盖到哪些页"
          placeholder="1-3,5"
          value={text}
          status={text !== "" && found === null ? "error" : ""}
          onChange={(event) => setText(event.target.value)}
        />
        <Button disabled={found === null} onClick={() => found !== null && onCopy(found)}>
          复制到这些页
        </Button>
      </Space.Compact>
      <Flex gap={4} style={{ marginTop: 6 }}>
        {["全部", "奇数", "偶数"].map((words) => (
          <Button key={words} size="small" onClick={() => onCopy(pagesOf(words, pages) ?? [])}>
            {words}页
          </Button>
        ))}
      </Flex>
    </>
  );
}
