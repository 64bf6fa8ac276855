// Every page is a folder under pages/ with an index.html: it is served by the gateway at the path that
// web/pages.py names for it. What they share is split off by the bundler.
import react from "@vitejs/plugin-react";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig } from "vite";

const here = import.meta.dirname;
const pages = readdirSync(resolve(here, "pages"));

export default defineConfig({
  root: resolve(here, "pages"),
  base: "/ui/",
  publicDir: resolve(here, "public"),
  plugins: [react()],
  resolve: { alias: { "@": resolve(here, "src") } },
  build: {
    outDir: process.env.YINGQIAO_UI_OUT ?? resolve(here, "../src/yingqiao/web/static"),
    emptyOutDir: true,
    target: "chrome109",
    chunkSizeWarningLimit: 1500,
    rollupOptions: { input: Object.fromEntries(pages.map((page) => [page, resolve(here, "pages", page, "index.html")])) },
  },
});
