// Every page is a folder under pages/ with an index.html: it is served by the gateway at the path that
// web/pages.py names for it. What they share is split off by the bundler.
import react from "@vitejs/plugin-react";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";

const here = import.meta.dirname;
const pages = readdirSync(resolve(here, "pages"));

/** What pdf.js fetches while it reads a file: character maps of Chinese text, standard fonts, decoders. Its version is in the
 *  path, so that browsers may keep them. */
function pdfParts(): Plugin {
  const home = resolve(here, "node_modules/pdfjs-dist");
  const { version } = JSON.parse(readFileSync(resolve(home, "package.json"), "utf-8")) as { version: string };
  const folders = ["cmaps", "standard_fonts", "wasm", "iccs"];
  const wanted = (name: string) => !name.startsWith("quickjs"); // scripts inside a PDF are not run
  return {
    name: "pdf-parts",
    generateBundle() {
      for (const folder of folders) {
        for (const name of readdirSync(resolve(home, folder)).filter(wanted)) {
          const source = readFileSync(resolve(home, folder, name));
          this.emitFile({ type: "asset", fileName: `pdfjs/${version}/${folder}/${name}`, source });
        }
      }
    },
  };
}

export default defineConfig({
  root: resolve(here, "pages"),
  base: "/ui/",
  publicDir: resolve(here, "public"),
  plugins: [react(), pdfParts()],
  resolve: { alias: { "@": resolve(here, "src") } },
  build: {
    outDir: process.env.YINGQIAO_UI_OUT ?? resolve(here, "../src/yingqiao/web/static"),
    emptyOutDir: true,
    target: "chrome109",
    chunkSizeWarningLimit: 1500,
    rollupOptions: { input: Object.fromEntries(pages.map((page) => [page, resolve(here, "pages", page, "index.html")])) },
  },
});
