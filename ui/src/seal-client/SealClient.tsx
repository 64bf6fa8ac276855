// The seal client: open, look, choose, place, seal with a PIN, save (四(二)4(6)).
import { Button, Result, Spin } from "antd";
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "./api";
import { Workplace } from "./Workplace";
import { tell } from "./messages";
import { useDocument } from "./useDocument";
import "./seal-client.css";

export type Ending = "saved" | "handed" | "cancelled";

const ENDINGS: Record<Ending, { title: string; words: string }> = {
  saved: { title: "已盖章并保存", words: "可以关闭此窗口" },
  handed: { title: "签章数据已交给 PACS", words: "由 PACS 合并到文件中" },
  cancelled: { title: "已取消", words: "文件没有改动" },
};

export function SealClient() {
  const { state, reload } = useDocument();
  const [ended, setEnded] = useState<{ ending: Ending; note: string } | null>(null);
  const end = useCallback((ending: Ending, note = "") => setEnded({ ending, note }), []);
  const told = useRef("");

  useEffect(() => {
    if (state.step === told.current) return;
    told.current = state.step;
    if (state.step === "open") {
      const { token, pages, sm3 } = state.opened;
      tell(state.opened, { type: "sealOpened", contents: { token, pages, sm3 } });
    } else if (state.step === "refused" && state.opening !== null) {
      const { token } = state.opening;
      tell(state.opening, { type: "sealFailed", contents: { token, stage: "open", ...state.refusal } });
    }
  }, [state]);

  useEffect(() => {
    const leave = () => void api.close();
    window.addEventListener("pagehide", leave);
    return () => window.removeEventListener("pagehide", leave);
  }, []);

  if (ended !== null) {
    const { title, words } = ENDINGS[ended.ending];
    const status = ended.ending === "cancelled" ? "info" : ended.note === "" ? "success" : "warning";
    return <Result status={status} title={title} subTitle={words} extra={ended.note} />;
  }
  switch (state.step) {
    case "opening":
      return (
        <div className="centre" role="status">
          <Spin size="large" />
          <p>{state.words}</p>
        </div>
      );
    case "refused":
      return (
        <Result
          status="error"
          title="文件没有打开"
          subTitle={state.refusal.message}
          extra={<Button onClick={() => window.location.reload()}>重试</Button>}
        />
      );
    case "open":
      return <Workplace {...state} reload={reload} onEnd={end} />;
  }
}
