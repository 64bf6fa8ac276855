// pdf.js, its worker, fonts and character maps from our own address: Chinese text shows without the network.
// The legacy build, since the browsers of hospitals are older than the other one wants.
import * as pdfjs from "pdfjs-dist/legacy/build/pdf.mjs";
import workerUrl from "pdfjs-dist/legacy/build/pdf.worker.min.mjs?url";
import type { PDFDocumentProxy, PDFPageProxy, RenderTask } from "pdfjs-dist";

export type { PDFDocumentProxy, PDFPageProxy, RenderTask };

pdfjs.GlobalWorkerOptions.workerSrc = workerUrl;

const parts = `${location.origin}${import.meta.env.BASE_URL}pdfjs/${pdfjs.version}/`;

/** CSS pixels of a PDF point at 100 %: a millimetre on paper is one on a screen of 96 dots an inch. */
export const PIXELS_PER_POINT = 96 / 72;
export const PIXELS_PER_MM = 96 / 25.4;

/** Takes the bytes over. Rejects with pdf.js's errors; `destroy` the loading task when it is of no use any more. */
export async function openPdf(data: Uint8Array): Promise<PDFDocumentProxy> {
  return pdfjs.getDocument({
    data,
    cMapUrl: `${parts}cmaps/`,
    cMapPacked: true,
    standardFontDataUrl: `${parts}standard_fonts/`,
    wasmUrl: `${parts}wasm/`,
    iccUrl: `${parts}iccs/`,
    enableXfa: false,
    verbosity: 0,
  }).promise;
}

const LARGEST_CANVAS = 24_000_000;

/** Draws a page with its annotations, seals among them, as sharp as the screen is. `scale` 1 = 100 %. */
export function drawPage(page: PDFPageProxy, canvas: HTMLCanvasElement, scale: number): RenderTask {
  const viewport = page.getViewport({ scale: scale * PIXELS_PER_POINT });
  const wanted = window.devicePixelRatio || 1;
  const sharp = Math.min(wanted, Math.sqrt(LARGEST_CANVAS / (viewport.width * viewport.height)));
  canvas.width = Math.floor(viewport.width * sharp);
  canvas.height = Math.floor(viewport.height * sharp);
  return page.render({
    canvas,
    viewport,
    transform: [sharp, 0, 0, sharp, 0, 0],
    annotationMode: pdfjs.AnnotationMode.ENABLE,
  });
}
