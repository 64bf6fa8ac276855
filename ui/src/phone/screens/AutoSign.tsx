// Automatic signing (annex 7, row 19). Above version 2.0 it is switched on here, with a deadline; up to 2.0 the service
// switches, and only the deadline is set here, one to twenty-four hours away (图 21).
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { DatePicker, Dialog, Empty, List, Switch } from "antd-mobile";
import { useState } from "react";
import { call, wordsOf } from "../api.ts";
import { useSession } from "../app.tsx";
import { Loaded, Page, timeWords } from "../parts/Page.tsx";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

interface Auto {
  enabled: boolean;
  until: number | null;
  maxMinutes: number;
}

export function AutoSign() {
  const { session } = useSession();
  const query = useQuery({
    queryKey: ["auto", session.token],
    queryFn: () => call<Auto>(session.service, "autoSign", { token: session.token }),
  });
  return (
    <Page title="自动签名" back="/home">
      <p className="quiet">开启后，截止时间之前推送的自动签名数据不经手机确认即签名，直接出现在“已签”中。请只在值守、出诊等确有需要时开启。</p>
      <Loaded query={query}>{(found) => <Controls found={found} />}</Loaded>
    </Page>
  );
}

function Controls({ found }: { found: Auto }) {
  const { session, service } = useSession();
  const [picking, setPicking] = useState<{ first: Date; last: Date } | null>(null);
  const [problem, setProblem] = useState("");
  const client = useQueryClient();
  const isOld = Number.parseFloat(service.version) <= 2.0;
  const set = async (enabled: boolean, until: number | null) => {
    setProblem("");
    try {
      await call(session.service, "setAutoSign", { token: session.token, enabled, until });
      await client.invalidateQueries({ queryKey: ["auto"] });
    } catch (error) {
      setProblem(wordsOf(error));
    }
  };
  const turn = async (on: boolean) => {
    if (!on) return set(false, null);
    const length = lengthWords(Math.min(DAY_MS / MINUTE_MS, found.maxMinutes));
    const words = `${length}后截止，可再修改。截止前推送的自动签名数据将不再逐份确认。`;
    const agreed = await Dialog.confirm({ title: "开启自动签名", content: words, confirmText: "开启" });
    if (agreed) await set(true, null); // the service's clock counts, not the phone's
  };
  const pick = () => {
    const longest = Math.min(isOld ? DAY_MS : Number.MAX_SAFE_INTEGER, found.maxMinutes * MINUTE_MS);
    const soonest = isOld ? HOUR_MS : MINUTE_MS;
    setPicking({ first: new Date(Date.now() + soonest), last: new Date(Date.now() + longest) });
  };
  if (found.maxMinutes === 0) return <Empty description="本服务没有开放自动签名" />;
  return (
    <>
      <List mode="card">
        <List.Item
          extra={<Switch aria-label="自动签名" checked={found.enabled} disabled={isOld} onChange={turn} />}
          description={isOld ? "由管理员在服务端开启和关闭" : undefined}
        >
          自动签名
        </List.Item>
        {found.enabled && (
          <List.Item extra={found.until === null ? "未设置" : timeWords(found.until)} onClick={pick}>
            截止时间
          </List.Item>
        )}
      </List>
      {isOld && found.enabled && found.until === null && <p className="problem">还没有截止时间：设定之后才自动签名。</p>}
      <p className="quiet">{isOld ? "截止时间为 1 至 24 小时之后。" : `最长 ${lengthWords(found.maxMinutes)}，由管理员设定。`}</p>
      {problem !== "" && <p className="problem">{problem}</p>}
      {picking !== null && (
        <DatePicker
          visible
          title="截止时间"
          precision="minute"
          min={picking.first}
          max={picking.last}
          defaultValue={found.until === null ? picking.last : new Date(found.until)}
          onClose={() => setPicking(null)}
          onConfirm={(value) => void set(true, value.getTime())}
        />
      )}
    </>
  );
}

/** Whole days or hours where it is so many. */
function lengthWords(minutes: number): string {
  if (minutes % 1440 === 0) return `${minutes / 1440} 天`;
  return minutes % 60 === 0 ? `${minutes / 60} 小时` : `${minutes} 分钟`;
}
