// Beside the pages: seals to choose, keyword, copies to further pages, what is in the file already.
import { Alert, Button, Checkbox, Empty, Flex, Input, Space, Typography } from "antd";
import { useState, type PointerEvent } from "react";
import { api, wordsOf, type Rect, type SealInfo, type Signature } from "./api";
import { pagesOf } from "./placing";

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
  hits: Rect[];
  chosen: Set<number>;
  ready: boolean;
  onHits: (hits: Rect[]) => void;
  onToggle: (index: number) => void;
  onAll: (all: boolean) => void;
  onPlace: () => void;
  onGo: (page: number) => void;
}

export function Keyword({ hits, chosen, ready, onHits, onToggle, onAll, onPlace, onGo }: KeywordProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
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
            <Checkbox checked={chosen.size === hits.length} onChange={(event) => onAll(event.target.checked)}>
              共 {hits.length} 处
            </Checkbox>
            <Button size="small" type="primary" ghost disabled={!ready || chosen.size === 0} onClick={onPlace}>
              在选中的 {chosen.size} 处放置
            </Button>
          </Flex>
          <div className="hits">
            {hits.map((hit, index) => (
              <div key={index}>
                <Checkbox checked={chosen.has(index)} onChange={() => onToggle(index)}>
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

export function Earlier({ signatures, onGo }: { signatures: Signature[]; onGo: (page: number) => void }) {
  return signatures.map((one, index) => (
    <div key={index} style={{ marginBottom: 8 }}>
      <Button type="link" size="small" disabled={one.page === null} onClick={() => one.page !== null && onGo(one.page)}>
        {one.page === null ? "不显示" : `第 ${one.page} 页`}
      </Button>
      {one.name || "签名"}
      <div>
        <Typography.Text type="secondary">
          {one.signer}
          {one.time !== null && ` ${new Date(one.time).toLocaleString("zh-CN")}`}
        </Typography.Text>
      </div>
      {one.problem !== "" && <Typography.Text type="danger">{one.problem}</Typography.Text>}
    </div>
  ));
}
