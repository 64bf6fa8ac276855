// The file of this visit: asked for, shown again after each sealing.
import { useCallback, useEffect, useRef, useState } from "react";
import { openPdf, PIXELS_PER_POINT, type PDFDocumentProxy } from "@/common/pdf";
import { api, codeOf, wordsOf, type Facts, type NotOpened, type Opened, type Opening, type Refusal } from "./api";
import type { Size } from "./placing";

export interface Shown {
  pdf: PDFDocumentProxy;
  /** Millimetres, a page each. */
  sizes: Size[];
}

export type DocumentState =
  | { step: "opening"; words: string }
  | { step: "refused"; opening: Opening | null; refusal: Refusal }
  | { step: "open"; opened: Opened; facts: Facts; shown: Shown };

const MM_PER_PIXEL = 25.4 / 96;

async function showPdf(): Promise<Shown> {
  const pdf = await openPdf(await api.pdf());
  const sizes: Size[] = [];
  for (let number = 1; number <= pdf.numPages; number++) {
    const { width, height } = (await pdf.getPage(number)).getViewport({ scale: PIXELS_PER_POINT });
    sizes.push({ width: width * MM_PER_PIXEL, height: height * MM_PER_PIXEL });
  }
  return { pdf, sizes };
}

export function useDocument() {
  const [state, setState] = useState<DocumentState>({ step: "opening", words: "正在打开文件…" });
  const begun = useRef(false);

  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    void openIt(setState);
  }, []);

  const reload = useCallback(async (facts: Facts) => {
    const shown = await showPdf();
    setState((before) => {
      if (before.step !== "open") return before;
      void before.shown.pdf.loadingTask.destroy();
      return { ...before, facts, shown };
    });
  }, []);

  return { state, reload };
}

async function openIt(set: (state: DocumentState) => void): Promise<void> {
  const watching = watchProgress((words) => set({ step: "opening", words }));
  let opening: Opening | null = null;
  try {
    const said: Opened | NotOpened = await api.open();
    opening = said;
    clearInterval(watching);
    if (said.refusal !== null) {
      set({ step: "refused", opening: said, refusal: said.refusal });
      return;
    }
    set({ step: "opening", words: "正在显示文件…" });
    set({ step: "open", opened: said, facts: said, shown: await showPdf() });
  } catch (error) {
    const refusal = opening === null ? { code: codeOf(error), message: wordsOf(error) } : UNSHOWN;
    set({ step: "refused", opening, refusal });
  } finally {
    clearInterval(watching);
  }
}

const UNSHOWN: Refusal = { code: "not-shown", message: "文件无法显示：可能已损坏或加密" };

function watchProgress(say: (words: string) => void): number {
  return window.setInterval(() => {
    api.progress().then(
      ({ received }) => {
        if (received > 0) say(`正在取回文件… 已收到 ${(received / 1048576).toFixed(1)} MB`);
      },
      () => undefined,
    );
  }, 700);
}
