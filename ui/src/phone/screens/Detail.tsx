// One document: exactly what is hashed, then sign or refuse (annex 7, row 15).
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Button, Dialog, List, Result, TextArea } from "antd-mobile";
import { useRef, useState } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { call, wordsOf, type Job } from "../api.ts";
import { useApp, useSession } from "../app.tsx";
import { Content } from "../parts/Content.tsx";
import { Loaded, Page, timeWords } from "../parts/Page.tsx";
import { signJob } from "../signing.ts";
import { StateTag } from "./Jobs.tsx";

export function Detail() {
  const { id = "" } = useParams();
  const [params] = useSearchParams();
  const { session } = useSession();
  const o = params.get("o");
  const query = useQuery({
    queryKey: ["job", session.token, id],
    queryFn: async () => {
      const { service, token } = session;
      if (o !== null) await call(service, "ticket", { o, token }); // a job for whoever scans it becomes this doctor's
      return call<Job>(service, "job", { token, id });
    },
    gcTime: 0, // who comes back reads anew: what was signed or refused meanwhile must not be offered again
  });
  return (
    <Page title="签名详情" back="/jobs">
      <Loaded query={query}>{(job) => <Shown job={job} scanned={o !== null} />}</Loaded>
    </Page>
  );
}

/** `scanned`: the job came by a code and not out of the list. */
function Shown({ job, scanned }: { job: Job; scanned: boolean }) {
  const { session, key } = useSession();
  const { withPin } = useApp();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const [done, setDone] = useState("");
  const reason = useRef("");
  const attempt = async (step: () => Promise<string | null>) => {
    setBusy(true);
    setProblem("");
    try {
      setDone((await step()) ?? "");
      await client.invalidateQueries({ queryKey: ["jobs"] });
    } catch (error) {
      setProblem(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  const sign = () => withPin(key, (pin) => signJob(key, pin, job, session.token)).then((found) => found && "已签名");
  const refuse = async () => {
    reason.current = "";
    const box = <TextArea aria-label="拒签原因" placeholder="请写明原因" maxLength={200} showCount rows={3} onChange={(text) => (reason.current = text)} />;
    if (!(await Dialog.confirm({ title: "拒签", content: box, confirmText: "拒签" }))) return null;
    if (reason.current.trim() === "") throw new Error("拒签须写明原因");
    await call(session.service, "refuse", { token: session.token, id: job.id, reason: reason.current.trim() });
    return "已拒签";
  };
  if (done !== "") {
    return (
      <>
        <Result status={done === "已签名" ? "success" : "info"} title={done} description={job.title} />
        <Button block color="primary" size="large" onClick={() => void navigate(scanned ? "/home" : "/jobs", { replace: true })}>
          {scanned ? "返回首页" : "返回列表"}
        </Button>
      </>
    );
  }
  return (
    <>
      <List mode="card">
        <List.Item extra={<StateTag job={job} />}>{job.title || "（无标题）"}</List.Item>
        {job.description !== "" && <List.Item description={job.description}>说明</List.Item>}
        <List.Item extra={job.appName}>来自</List.Item>
        <List.Item extra={timeWords(job.expiresAt)}>有效至</List.Item>
      </List>
      <Content job={job} signer={key} />
      {job.reason && <p className="warning">拒签原因：{job.reason}</p>}
      {problem !== "" && <p className="problem">{problem}</p>}
      {job.state === "UNSIGN" && (
        <div className="row">
          <Button block size="large" disabled={busy} onClick={() => void attempt(refuse)}>
            拒签
          </Button>
          <Button block size="large" color="primary" loading={busy} onClick={() => void attempt(sign)}>
            {problem === "" ? "签名" : "重新签名"}
          </Button>
        </div>
      )}
    </>
  );
}
