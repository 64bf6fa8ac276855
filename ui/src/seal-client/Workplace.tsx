// A file that is open: everything a person does with it until it is saved or left.
import { Alert, App, Button, Flex, Typography } from "antd";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { PIXELS_PER_MM } from "@/common/pdf";
import { api, codeOf, wordsOf, type Facts, type Opened, type Point, type SealInfo } from "./api";
import { Earlier } from "./Earlier";
import { PageView, type Hands } from "./PageView";
import { PagingSettings, WHICH } from "./PagingSettings";
import { FurtherPages, Keyword, SealCards } from "./Panel";
import { PinDialog } from "./PinDialog";
import type { Ending } from "./SealClient";
import { Thumbnails } from "./Thumbnails";
import { PagingButton, Toolbar } from "./Toolbar";
import { tell } from "./messages";
import { inside, usePlaces, type Places, type Size } from "./placing";
import { pointUnder, useDrag } from "./useDrag";
import type { Shown } from "./useDocument";
import { useHits } from "./useHits";
import { usePieces } from "./usePieces";
import { useTrust } from "./useTrust";

interface Props {
  opened: Opened;
  facts: Facts;
  shown: Shown;
  reload: (facts: Facts) => Promise<void>;
  onEnd: (ending: Ending, note?: string) => void;
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
  const trust = useTrust(facts.sm3, facts.signatures.length);
  const [withoutStamp, setWithoutStamp] = useState("");
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

  const fit = () => setZoom(Math.max(0.25, Math.min(4, fitting(scroller.current, sizeOf(current)))));
  useLayoutEffect(() => {
    const first = shown.sizes[0];
    if (first !== undefined) setZoom((now) => Math.min(now, Math.max(0.5, fitting(scroller.current, first))));
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once: what was chosen later stays
  }, []);

  const seal_ = async (pin: string) => {
    if (seal === null) return;
    const points = places.points.map(({ page, x, y }) => ({ page, x, y }));
    try {
      const sealed = await api.seal(seal.id, { points, paging: places.paging }, facts.sm3, pin);
      setAsking(false);
      places_.clear();
      found.show([]);
      setWithoutStamp(sealed.withoutStamp);
      if (opened.parallel) {
        tell(opened, { type: "parallelSignData", contents: sealed.parallel });
        onEnd("handed", sealed.withoutStamp === "" ? "" : `${UNSTAMPED}：${sealed.withoutStamp}`);
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

  const summary = useMemo(() => summaryOf(seal, places, facts.pages), [seal, places, facts.pages]);
  const marked = useMemo(
    () => new Set([...places.points, ...planned.pieces].map((one) => one.page)),
    [places.points, planned.pieces],
  );
  const placing = seal !== null && !drag.dragging;
  const hands = useSteady<Hands>({
    over: (event) => {
      if (!placing || (event.target instanceof Element && event.target.closest(".ghost:not(.hover), .hit"))) setHover(null);
      else setHover(withCentre(pointUnder(event.clientX, event.clientY, zoom), centred));
    },
    leave: () => placing && setHover(null),
    click: (event) => {
      const at = pointUnder(event.clientX, event.clientY, zoom);
      if (placing && at !== null && !drag.endedDrag()) places_.add([centred(at)]);
    },
    toggle: found.toggle,
    grab: (at, event) => {
      const under = pointUnder(event.clientX, event.clientY, zoom);
      if (under !== null) drag.grab(event, at.id, under.x - at.x, under.y - at.y);
    },
    nudge: (at, across, down) => places_.move(at.id, fitted({ page: at.page, x: at.x + across, y: at.y + down }), true),
    remove: (at) => places_.remove(at.id),
  });
  const signaturesOf = useByPage(facts.signatures, (one) => one.rect?.page ?? 0);
  const hitsOf = useByPage(found.hits, pageOf);
  const piecesOf = useByPage(planned.pieces, pageOf);
  const placedOf = useByPage(places.points, pageOf);
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
            seal={seal}
            signatures={signaturesOf(index + 1)}
            hits={hitsOf(index + 1)}
            pieces={piecesOf(index + 1)}
            placed={placedOf(index + 1)}
            hover={hover?.page === index + 1 ? hover : null}
            hands={hands}
          />
        ))}
      </main>
      <aside className="panel" aria-label="盖章">
        {problem !== "" && <Alert type="error" showIcon title={problem} style={{ marginBottom: 12 }} />}
        {planned.problem !== "" && <Alert type="error" showIcon title={planned.problem} style={{ marginBottom: 12 }} />}
        {withoutStamp !== "" && (
          <Alert type="warning" showIcon title={UNSTAMPED} description={withoutStamp} style={{ marginBottom: 12 }} />
        )}
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
        {places.paging !== null && (
          <>
            <h2>骑缝章</h2>
            <PagingSettings paging={places.paging} onChange={places_.setPaging} />
          </>
        )}
        <h2>按关键字</h2>
        <Keyword
          hits={found.hits}
          ready={seal !== null}
          onHits={found.show}
          onToggle={found.toggle}
          onAll={found.all}
          onPlace={() => {
            places_.add(found.chosen.map((hit) => centred({ page: hit.page, x: hit.x + hit.width / 2, y: hit.y + hit.height / 2 })));
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
            <Earlier signatures={facts.signatures} trust={trust} onGo={go} />
          </>
        )}
      </aside>
      <PinDialog open={asking} summary={summary} onSeal={seal_} onCancel={() => setAsking(false)} />
    </div>
  );
}

/** The person can try again: the host hears of failures that end the act. */
const RETRIED = new Set(["wrong-pin", "busy", "stamp-silent", "device-away"]);
const UNSTAMPED = "没有加盖时间戳";
const pageOf = (one: { page: number }) => one.page;

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
      let low = 0;
      for (let high = sheets.length; low + 1 < high; ) {
        const middle = (low + high) >> 1;
        if ((sheets[middle]?.getBoundingClientRect().top ?? 0) <= line) low = middle;
        else high = middle;
      }
      if (sheets.length > 0) onPage(low + 1);
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

/** The zoom at which the whole width of a page is seen: a paging seal is at its edge. */
function fitting(scroller: HTMLElement | null, size: Size): number {
  return ((scroller?.clientWidth ?? 800) - 40) / (size.width * PIXELS_PER_MM);
}

/** What lies on each page; the same array for as long as nothing changes on any. */
function useByPage<T>(all: T[], page: (one: T) => number): (number: number) => T[] {
  const pages = useMemo(() => {
    const found = new Map<number, T[]>();
    for (const one of all) {
      const there = found.get(page(one));
      if (there === undefined) found.set(page(one), [one]);
      else there.push(one);
    }
    return found;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `page` only reads a number of its argument
  }, [all]);
  return (number) => pages.get(number) ?? (NOTHING as T[]);
}
const NOTHING: unknown[] = [];

/** The latest of some functions, behind faces that stay the same: who is given them is not drawn anew. */
function useSteady<T extends object>(latest: T): T {
  const current = useRef(latest);
  useEffect(() => {
    current.current = latest;
  });
  const [faces] = useState(() => {
    const face = (name: string) => (...given: unknown[]) =>
      (current.current as Record<string, (...given: unknown[]) => unknown>)[name]?.(...given);
    return Object.fromEntries(Object.keys(latest).map((name) => [name, face(name)])) as T;
  });
  return faces;
}

function summaryOf(seal: SealInfo | null, { points, paging }: Places, pages: number): string[] {
  if (seal === null) return [];
  const where = [...new Set(points.map((one) => one.page))].sort((one, other) => one - other);
  const lines = [`印章：${seal.name}（${seal.width}×${seal.height} mm）`];
  if (points.length > 0) lines.push(`盖 ${points.length} 处：第 ${listed(where)} 页`);
  if (paging !== null) lines.push(`骑缝章：共 ${pages} 页，${WHICH.find((one) => one.value === paging.which)?.label ?? ""}`);
  return lines;
}

/** `1、3、5–9` */
function listed(pages: number[]): string {
  const runs: [number, number][] = [];
  for (const page of pages) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === page - 1) last[1] = page;
    else runs.push([page, page]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : last === first + 1 ? `${first}、${last}` : `${first}–${last}`)).join("、");
}
