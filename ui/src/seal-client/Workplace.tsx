// A file that is open: everything a person does with it until it is saved or left.
import { Alert, App, Button, Flex, Typography } from "antd";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { PIXELS_PER_MM } from "@/common/pdf";
import { api, codeOf, wordsOf, type Facts, type Opened, type Point, type SealInfo } from "./api";
import { EarlierSeal, Ghost, Hit, Hover, PageView, PieceView } from "./PageView";
import { Earlier, FurtherPages, Keyword, SealCards } from "./Panel";
import { PinDialog } from "./PinDialog";
import type { Ending } from "./SealClient";
import { Thumbnails } from "./Thumbnails";
import { PagingButton, Toolbar } from "./Toolbar";
import { tell } from "./messages";
import { inside, usePlaces, type Size } from "./placing";
import { pointUnder, useDrag } from "./useDrag";
import type { Shown } from "./useDocument";
import { useHits } from "./useHits";
import { usePieces } from "./usePieces";

interface Props {
  opened: Opened;
  facts: Facts;
  shown: Shown;
  reload: (facts: Facts) => Promise<void>;
  onEnd: (ending: Ending) => void;
}

const A4: Size = { width: 210, height: 297 };

export function Workplace({ opened, facts, shown, reload, onEnd }: Props) {
  const { message, modal } = App.useApp();
  const [zoom, setZoom] = useState(1);
  const [current, setCurrent] = useState(1);
  const [hover, setHover] = useState<Point | null>(null);
  const [asking, setAsking] = useState(false);
  const [saving, setSaving] = useState(false);
  const [problem, setProblem] = useState("");
  const scroller = useRef<HTMLElement>(null);
  const { seals, chosen: seal, choose } = useSeals(setProblem);
  const { places, canUndo, ...places_ } = usePlaces();
  const found = useHits();
  const planned = usePieces(seal, places.paging, facts.sm3);
  const { token } = opened;
  const unsaved = facts.sealed > 0 && !opened.parallel;
  const pending = places.points.length > 0 || places.paging !== null;

  const sizeOf = (page: number) => shown.sizes[page - 1] ?? A4;
  const fitted = (at: Point) => (seal === null ? at : inside(at, seal, sizeOf(at.page)));
  const centred = (at: Point) =>
    seal === null ? at : fitted({ page: at.page, x: at.x - seal.width / 2, y: at.y - seal.height / 2 });

  const drag = useDrag({
    zoom,
    onOver: (at) => setHover(at && fitted(at)),
    onMove: (id, at, first) => places_.move(id, fitted(at), first),
    onDrop: (at) => places_.add([fitted(at)]),
  });

  const go = useCallback((page: number) => {
    scroller.current?.querySelector(`[data-page="${page}"]`)?.scrollIntoView({ block: "start" });
    setCurrent(page);
  }, []);
  useCurrentPage(scroller, setCurrent, shown);
  useLeaving(unsaved || pending);

  const fit = () => {
    const width = Math.max(...shown.sizes.map((size) => size.width));
    setZoom(Math.min(4, Math.max(0.25, ((scroller.current?.clientWidth ?? 800) - 40) / (width * PIXELS_PER_MM))));
  };

  const seal_ = async (pin: string) => {
    if (seal === null) return;
    const points = places.points.map(({ page, x, y }) => ({ page, x, y }));
    try {
      const sealed = await api.seal(seal.id, { points, paging: places.paging }, facts.sm3, pin);
      setAsking(false);
      places_.clear();
      found.show([]);
      if (opened.parallel) {
        tell(opened, { type: "parallelSignData", contents: sealed.parallel });
        onEnd("handed");
        return;
      }
      choose(null); // to look at, not to put further seals by a stray click
      await reload(sealed);
      void message.success("已盖章，请核对后保存");
    } catch (error) {
      if (!RETRIED.has(codeOf(error))) failed("seal", error);
      throw error;
    }
  };

  const failed = (stage: "seal" | "save", error: unknown) => {
    tell(opened, { type: "sealFailed", contents: { token, stage, code: codeOf(error), message: wordsOf(error) } });
  };

  const save = async () => {
    setSaving(true);
    setProblem("");
    try {
      const saved = await api.save();
      const contents = { token, savePath: opened.savePath, seals: facts.sealed, ...saved };
      tell(opened, { type: "sealFinished", contents });
      onEnd("saved");
    } catch (error) {
      setProblem(wordsOf(error));
      failed("save", error);
    } finally {
      setSaving(false);
    }
  };

  const cancel = async () => {
    const sure = !(unsaved || pending) || (await modal.confirm({ title: "放弃本次盖章？", content: "已放置或已盖但未保存的章都不会保留。", okText: "放弃", cancelText: "继续盖章" }));
    if (!sure) return;
    await api.close();
    tell(opened, { type: "sealCancelled", contents: { token } });
    onEnd("cancelled");
  };

  const copy = (pages: number[]) => {
    const last = places.points.at(-1);
    if (last === undefined || seal === null) return;
    const there = new Set(places.points.filter((one) => one.x === last.x && one.y === last.y).map((one) => one.page));
    places_.add(pages.filter((page) => !there.has(page)).map((page) => fitted({ ...last, page })));
  };

  const summary = useMemo(() => summaryOf(seal, places.points, places.paging !== null, facts.pages), [seal, places, facts.pages]);
  const marked = new Set([...places.points, ...planned.pieces].map((one) => one.page));
  const placing = seal !== null && !drag.dragging;
  return (
    <div className={placing ? "client placing" : "client"}>
      <Toolbar name={opened.name} pages={facts.pages} current={current} zoom={zoom} onGo={go} onZoom={setZoom} onFit={fit}>
        {opened.pagingButton && (
          <PagingButton paging={places.paging} pages={facts.pages} ready={seal !== null} onChange={places_.setPaging} />
        )}
        <Button disabled={!canUndo} onClick={places_.undo}>
          撤销
        </Button>
        <Button type={unsaved && !pending ? "default" : "primary"} disabled={!pending || planned.problem !== ""} onClick={() => setAsking(true)}>
          确认盖章
        </Button>
        {!opened.parallel && (
          <Button type={unsaved && !pending ? "primary" : "default"} disabled={!unsaved || pending} loading={saving} onClick={() => void save()}>
            保存
          </Button>
        )}
        <Button onClick={() => void cancel()}>取消</Button>
      </Toolbar>
      <Thumbnails pdf={shown.pdf} sizes={shown.sizes} current={current} marked={marked} onGo={go} />
      <main className="pages" ref={scroller} tabIndex={-1}>
        {shown.sizes.map((size, index) => (
          <PageView
            key={index}
            pdf={shown.pdf}
            number={index + 1}
            size={size}
            zoom={zoom}
            onPointerMove={(event) => {
              if (!placing || event.target instanceof Element && event.target.closest(".ghost:not(.hover), .hit")) setHover(null);
              else setHover(withCentre(pointUnder(event.clientX, event.clientY, zoom), centred));
            }}
            onPointerLeave={() => placing && setHover(null)}
            onClick={(event) => {
              const at = pointUnder(event.clientX, event.clientY, zoom);
              if (placing && at !== null && !drag.endedDrag()) places_.add([centred(at)]);
            }}
          >
            {facts.signatures.map(
              (one, number) => one.rect?.page === index + 1 && <EarlierSeal key={number} signature={one} zoom={zoom} />,
            )}
            {found.hits.map(
              (hit, number) =>
                hit.page === index + 1 && (
                  <Hit key={`h${number}`} at={hit} zoom={zoom} chosen={found.chosen.has(number)} onToggle={() => found.toggle(number)} />
                ),
            )}
            {seal !== null &&
              planned.pieces.map(
                (piece, number) => piece.page === index + 1 && <PieceView key={`p${number}`} piece={piece} seal={seal} zoom={zoom} />,
              )}
            {seal !== null &&
              places.points.map(
                (at) =>
                  at.page === index + 1 && (
                    <Ghost
                      key={`g${at.id}`}
                      at={at}
                      seal={seal}
                      zoom={zoom}
                      onGrab={(event) => {
                        const under = pointUnder(event.clientX, event.clientY, zoom);
                        if (under !== null) drag.grab(event, at.id, under.x - at.x, under.y - at.y);
                      }}
                      onNudge={(across, down) => places_.move(at.id, fitted({ page: at.page, x: at.x + across, y: at.y + down }), true)}
                      onRemove={() => places_.remove(at.id)}
                    />
                  ),
              )}
            {hover?.page === index + 1 && seal !== null && <Hover x={hover.x} y={hover.y} seal={seal} zoom={zoom} />}
          </PageView>
        ))}
      </main>
      <aside className="panel" aria-label="盖章">
        {problem !== "" && <Alert type="error" showIcon title={problem} style={{ marginBottom: 12 }} />}
        {planned.problem !== "" && <Alert type="error" showIcon title={planned.problem} style={{ marginBottom: 12 }} />}
        {facts.troubles.map((words) => (
          <Alert key={words} type="warning" title={words} style={{ marginBottom: 12 }} />
        ))}
        <h2>印章</h2>
        <SealCards
          seals={seals}
          chosen={seal}
          onChoose={(one) => {
            if (!drag.endedDrag()) choose(one);
          }}
          onGrab={(one, event) => {
            choose(one);
            drag.grab(event, null, one.width / 2, one.height / 2);
          }}
        />
        {seal !== null && (
          <Flex vertical gap={8}>
            <Typography.Text type="secondary">在页面上点击，或把印章拖到页面上</Typography.Text>
            <Button onClick={() => places_.add([centred({ page: current, x: sizeOf(current).width / 2, y: sizeOf(current).height / 2 })])}>
              放到第 {current} 页中央
            </Button>
          </Flex>
        )}
        <h2>按关键字</h2>
        <Keyword
          hits={found.hits}
          chosen={found.chosen}
          ready={seal !== null}
          onHits={found.show}
          onToggle={found.toggle}
          onAll={found.all}
          onPlace={() => {
            const at = found.hits.filter((_, index) => found.chosen.has(index));
            places_.add(at.map((hit) => centred({ page: hit.page, x: hit.x + hit.width / 2, y: hit.y + hit.height / 2 })));
            found.show([]);
          }}
          onGo={go}
        />
        {facts.pages > 1 && places.points.length > 0 && (
          <>
            <h2>同一位置盖到多页</h2>
            <FurtherPages pages={facts.pages} onCopy={copy} />
          </>
        )}
        {facts.signatures.length > 0 && (
          <>
            <h2>文件中已有的签章</h2>
            <Earlier signatures={facts.signatures} onGo={go} />
          </>
        )}
      </aside>
      <PinDialog open={asking} summary={summary} onSeal={seal_} onCancel={() => setAsking(false)} />
    </div>
  );
}

/** The person can try again: the host hears of failures that end the act. */
const RETRIED = new Set(["wrong-pin", "busy"]);

const withCentre = (at: Point | null, centred: (at: Point) => Point) => (at === null ? null : centred(at));

function useSeals(onProblem: (words: string) => void) {
  const [seals, setSeals] = useState<SealInfo[]>([]);
  const [chosen, choose] = useState<SealInfo | null>(null);
  useEffect(() => {
    let current = true;
    api.seals().then(
      (found) => {
        if (!current) return;
        setSeals(found);
        const usable = found.filter((one) => one.unusable === "");
        if (usable.length === 1) choose(usable[0] ?? null);
      },
      (error: unknown) => current && onProblem(wordsOf(error)),
    );
    return () => {
      current = false;
    };
  }, [onProblem]);
  return { seals, chosen, choose };
}

/** The page whose place is in the upper part of the window. */
function useCurrentPage(scroller: React.RefObject<HTMLElement | null>, onPage: (page: number) => void, shown: Shown) {
  useEffect(() => {
    const root = scroller.current;
    if (root === null) return;
    const look = () => {
      const line = root.getBoundingClientRect().top + root.clientHeight / 3;
      const sheets = root.querySelectorAll<HTMLElement>("[data-page]");
      const at = [...sheets].filter((one) => one.getBoundingClientRect().top <= line).at(-1);
      if (at !== undefined) onPage(Number(at.dataset.page));
    };
    root.addEventListener("scroll", look, { passive: true });
    return () => root.removeEventListener("scroll", look);
  }, [scroller, onPage, shown]);
}

/** The browser asks before what is not saved is lost. */
function useLeaving(atStake: boolean) {
  useEffect(() => {
    if (!atStake) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [atStake]);
}

function summaryOf(seal: SealInfo | null, points: Point[], paging: boolean, pages: number): string[] {
  if (seal === null) return [];
  const where = [...new Set(points.map((one) => one.page))].sort((one, other) => one - other);
  const lines = [`印章：${seal.name}（${seal.width}×${seal.height} mm）`];
  if (points.length > 0) lines.push(`盖 ${points.length} 处：第 ${where.join("、")} 页`);
  if (paging) lines.push(`骑缝章：共 ${pages} 页`);
  return lines;
}
