// To-do list, search, batch signing with a result for each document (annex 7, rows 14 and 16).
import { useQueryClient } from "@tanstack/react-query";
import { Button, Checkbox, Empty, List, PullToRefresh, SearchBar, Tabs, Tag } from "antd-mobile";
import { useState } from "react";
import { useNavigate } from "react-router";
import { call, wordsOf, type Job } from "../api.ts";
import { isWrongPin, useApp, useSession } from "../app.tsx";
import { useJobs } from "../jobs.ts";
import { Loaded, Page, timeWords } from "../parts/Page.tsx";
import { signJob } from "../signing.ts";

type Outcome = { done: boolean; words: string };

export function Jobs() {
  const { session, key } = useSession();
  const { withPin } = useApp();
  const [state, setState] = useState("UNSIGN");
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState<string[] | null>(null);
  const [outcomes, setOutcomes] = useState<Record<string, Outcome>>({});
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const client = useQueryClient();
  const { service, token } = session;
  const query = useJobs(state, search);
  const tell = (id: string, outcome: Outcome) => setOutcomes((before) => ({ ...before, [id]: outcome }));

  const signAll = (ids: string[]) =>
    withPin(key, async (pin) => {
      for (const id of ids) {
        try {
          await signJob(key, pin, await call<Job>(service, "job", { token, id }), token);
          tell(id, { done: true, words: "已签名" });
        } catch (error) {
          tell(id, { done: false, words: wordsOf(error) });
          if (isWrongPin(error)) throw error; // the next ones would only count against the lock
        }
      }
      return true;
    });
  const sign = async (ids: string[]) => {
    setBusy(true);
    setProblem("");
    try {
      if ((await signAll(ids)) !== null) setChosen(null);
    } catch (error) {
      setProblem(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  const refresh = async () => {
    await client.invalidateQueries({ queryKey: ["jobs"] });
    setOutcomes({});
  };
  const jobs = query.data?.jobs ?? [];
  const open = jobs.filter((job) => job.state === "UNSIGN" && !outcomes[job.id]?.done);
  // The list may have been read again since: only what is shown is signed.
  const selected = open.map((job) => job.id).filter((id) => chosen?.includes(id));
  return (
    <Page
      title="待办列表"
      back="/home"
      right={
        state === "UNSIGN" && open.length > 0 && (
          <Button size="small" fill="none" color="primary" onClick={() => setChosen(chosen === null ? [] : null)}>
            {chosen === null ? "批量签署" : "取消"}
          </Button>
        )
      }
      footer={
        chosen !== null && (
          <div className="bar">
            <Checkbox
              checked={selected.length > 0 && selected.length === open.length}
              onChange={(all) => setChosen(all ? open.map((job) => job.id) : [])}
            >
              全选
            </Checkbox>
            <Button color="primary" loading={busy} disabled={selected.length === 0} onClick={() => void sign(selected)}>
              签名（{selected.length}）
            </Button>
          </div>
        )
      }
    >
      <SearchBar placeholder="搜索" onSearch={setSearch} onClear={() => setSearch("")} />
      <Tabs
        activeKey={state}
        onChange={(next) => {
          setState(next);
          setChosen(null);
          setOutcomes({});
        }}
      >
        <Tabs.Tab title="待签" key="UNSIGN" />
        <Tabs.Tab title="已签" key="FINISH" />
        <Tabs.Tab title="已过期" key="EXPIRE" />
      </Tabs>
      {problem !== "" && <p className="problem">{problem}</p>}
      <Loaded query={query}>
        {() => (
          <PullToRefresh onRefresh={refresh}>
            {jobs.length === 0 && <Empty description={search === "" ? "没有文件" : "没有找到"} />}
            <Checkbox.Group value={selected} onChange={(value) => setChosen(value.map(String))}>
              <List>
                {jobs.map((job) => (
                  <Row key={job.id} job={job} outcome={outcomes[job.id]} choosing={chosen !== null} busy={busy} onSign={(id) => void sign([id])} />
                ))}
              </List>
            </Checkbox.Group>
          </PullToRefresh>
        )}
      </Loaded>
    </Page>
  );
}

interface RowProps {
  job: Job;
  outcome: Outcome | undefined;
  choosing: boolean;
  busy: boolean;
  onSign: (id: string) => void;
}

function Row({ job, outcome, choosing, busy, onSign }: RowProps) {
  const navigate = useNavigate();
  const signable = job.state === "UNSIGN" && !outcome?.done;
  return (
    <List.Item
      prefix={choosing && signable && <Checkbox value={job.id} aria-label={`选择 ${job.title}`} />}
      description={
        <>
          {job.appName} · {timeWords(job.createdAt)}
          {outcome !== undefined && <div className={outcome.done ? "good" : "bad"}>{outcome.words}</div>}
        </>
      }
      extra={
        signable && !choosing ? (
          <Button
            size="small"
            color="primary"
            disabled={busy}
            onClick={(event) => {
              event.stopPropagation();
              onSign(job.id);
            }}
          >
            签名
          </Button>
        ) : (
          <StateTag job={job} />
        )
      }
      arrow={false}
      {...(choosing ? {} : { onClick: () => void navigate(`/job/${encodeURIComponent(job.id)}`) })}
    >
      {job.title || "（无标题）"}
    </List.Item>
  );
}

export function StateTag({ job }: { job: Job }) {
  if (job.state === "EXPIRE") return <Tag>已过期</Tag>;
  if (job.state !== "FINISH") return null;
  return job.result === false ? <Tag color="danger">已拒签</Tag> : <Tag color="success">已签名</Tag>;
}
