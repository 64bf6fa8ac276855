// /phone/: cooperative signing on the phone (annex 7), installable, in one page.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { ConfigProvider, ErrorBlock } from "antd-mobile";
import chinese from "antd-mobile/es/locales/zh-CN";
import { StrictMode, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { HashRouter, Navigate, Route, Routes } from "react-router";
import { wordsOf } from "./api.ts";
import { AppProvider, readKept, useApp } from "./app.tsx";
import "./phone.css";
import { Activate, PhoneNumber } from "./screens/Activate.tsx";
import { AutoSign } from "./screens/AutoSign.tsx";
import { Certificates } from "./screens/Certificates.tsx";
import { Detail } from "./screens/Detail.tsx";
import { Help } from "./screens/Help.tsx";
import { Home, Mine } from "./screens/Home.tsx";
import { Jobs } from "./screens/Jobs.tsx";
import { Login } from "./screens/Login.tsx";
import { Scan } from "./screens/Scan.tsx";
import { Seal } from "./screens/Seal.tsx";
import { AddService, ServiceSetup, Welcome } from "./screens/Services.tsx";
import { ServiceDetail, Settings } from "./screens/Settings.tsx";

const queries = new QueryClient({ defaultOptions: { queries: { retry: false, networkMode: "always" } } });

function Screens() {
  const { services, session, key } = useApp();
  if (services.length === 0) {
    return (
      <Routes>
        <Route path="/service" element={<ServiceSetup />} />
        <Route path="/service/add" element={<AddService />} />
        <Route path="/scan" element={<Scan />} />
        <Route path="/mine" element={<Mine />} />
        <Route path="/settings" element={<Settings />} />
        <Route path="/service/detail" element={<ServiceDetail />} />
        <Route path="/help" element={<Help />} />
        <Route path="*" element={<Welcome />} />
      </Routes>
    );
  }
  const isIn = session !== null && key !== null;
  const inside = (screen: ReactNode) => (isIn ? screen : <Navigate to="/login" replace />);
  return (
    <Routes>
      <Route path="/service" element={<ServiceSetup />} />
      <Route path="/service/add" element={<AddService />} />
      <Route path="/service/detail" element={<ServiceDetail />} />
      <Route path="/scan" element={<Scan />} />
      <Route path="/activate" element={<Activate />} />
      <Route path="/phone" element={<PhoneNumber />} />
      <Route path="/login" element={<Login />} />
      <Route path="/mine" element={<Mine />} />
      <Route path="/settings" element={<Settings />} />
      <Route path="/help" element={<Help />} />
      <Route path="/home" element={inside(<Home />)} />
      <Route path="/jobs" element={inside(<Jobs />)} />
      <Route path="/job/:id" element={inside(<Detail />)} />
      <Route path="/certificates" element={inside(<Certificates />)} />
      <Route path="/seal" element={inside(<Seal />)} />
      <Route path="/auto" element={inside(<AutoSign />)} />
      <Route path="*" element={<Navigate to={isIn ? "/home" : "/login"} replace />} />
    </Routes>
  );
}

function Trouble({ words }: { words: string }) {
  return <ErrorBlock fullPage title="不能使用" description={words} />;
}

async function start(): Promise<ReactNode> {
  if (!window.isSecureContext) return <Trouble words="手机签名须经 https 打开，请联系管理员启用 https 后再使用" />;
  try {
    const kept = await readKept();
    return (
      <QueryClientProvider client={queries}>
        <HashRouter>
          <AppProvider kept={kept}>
            <Screens />
          </AppProvider>
        </HashRouter>
      </QueryClientProvider>
    );
  } catch (error) {
    return <Trouble words={wordsOf(error)} />;
  }
}

const place = document.getElementById("root");
if (place === null) throw new Error("the page has no root");
const root = createRoot(place);
void start().then((page) =>
  root.render(
    <StrictMode>
      <ConfigProvider locale={chinese}>{page}</ConfigProvider>
    </StrictMode>,
  ),
);

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/phone/sw.js", { scope: "/phone/" }).catch(() => null); // works without, only not offline
}
void navigator.storage?.persist?.();
