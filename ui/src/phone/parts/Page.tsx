// A screen: title bar, content, and for what is asked of the service its waiting and its failure with a way to retry.
import type { UseQueryResult } from "@tanstack/react-query";
import { Button, DotLoading, ErrorBlock, NavBar } from "antd-mobile";
import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { wordsOf } from "../api.ts";

interface PageProps {
  title: string;
  children: ReactNode;
  right?: ReactNode;
  left?: ReactNode;
  /** Where the arrow leads; null = no arrow. */
  back?: string | null;
  footer?: ReactNode;
}

export function Page({ title, children, right, left, back, footer }: PageProps) {
  const navigate = useNavigate();
  const goBack = () => void (back ? navigate(back) : navigate(-1));
  return (
    <div className="page">
      <NavBar
        backIcon={back !== null ? <BackArrow /> : false}
        back={back !== null ? "" : null}
        left={left}
        right={right}
        onBack={goBack}
      >
        {title}
      </NavBar>
      <main>{children}</main>
      {footer !== undefined && <footer>{footer}</footer>}
    </div>
  );
}

function BackArrow() {
  return (
    <svg role="img" aria-label="返回" width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2">
      <path d="M15 5l-7 7 7 7" />
    </svg>
  );
}

export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (found: T) => ReactNode }) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error !== null && <p className="warning">未能刷新：{wordsOf(query.error)}</p>}
        {children(query.data)}
      </>
    );
  }
  if (query.error === null) {
    return (
      <p className="centre quiet">
        正在读取 <DotLoading />
      </p>
    );
  }
  return (
    <ErrorBlock status="disconnected" title="没有读到" description={wordsOf(query.error)}>
      <Button color="primary" loading={query.isFetching} onClick={() => void query.refetch()}>
        重试
      </Button>
    </ErrorBlock>
  );
}

/** Beijing time is the phone's time for its users; shown as the phone shows time. */
export function timeWords(at: number): string {
  return new Date(at).toLocaleString("zh-CN", { dateStyle: "medium", timeStyle: "short" });
}

export function dateWords(at: number): string {
  return new Date(at).toLocaleDateString("zh-CN", { dateStyle: "medium" });
}
