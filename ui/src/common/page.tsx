// What every page on a desk shares: language, theme, and one root.
import { App, ConfigProvider } from "antd";
import chinese from "antd/locale/zh_CN";
import { StrictMode, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import "./page.css";

/** Puts a page into the document. */
export function show(page: ReactNode): void {
  const root = document.getElementById("root");
  if (root === null) throw new Error("the page has no root");
  createRoot(root).render(
    <StrictMode>
      <ConfigProvider locale={chinese} theme={{ token: { colorPrimary: "#0b6e6e", colorLink: "#0b6e6e" } }}>
        <App>{page}</App>
      </ConfigProvider>
    </StrictMode>,
  );
}
