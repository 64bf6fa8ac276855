// Certificate management (annex 7, row 17, and the table of states).
import { useQuery } from "@tanstack/react-query";
import { Button, Card, Empty, Tag } from "antd-mobile";
import { useState } from "react";
import { useNavigate } from "react-router";
import { wordsOf, type HeldCertificate } from "../api.ts";
import { useApp, useSession } from "../app.tsx";
import { Loaded, Page, dateWords } from "../parts/Page.tsx";
import { certificatesOf } from "../signing.ts";
import { update } from "../update.ts";

const COLOURS: Record<string, string> = { normal: "success", expiring: "warning", renewable: "warning" };
const UPDATABLE = new Set(["expiring", "renewable"]);
const PROFILES: Record<string, string> = { signing: "签名证书", automatic: "自动签名证书", encryption: "加密证书" };

/** The one that signs first; else as the service lists them, newest first. */
const byProfile = (one: HeldCertificate, other: HeldCertificate) => rank(one) - rank(other);
const rank = (one: HeldCertificate) => Object.keys(PROFILES).indexOf(one.profile);

export function Certificates() {
  const { session } = useSession();
  const query = useQuery({
    queryKey: ["certificates", session.token],
    queryFn: () => certificatesOf(session.service, session.token),
  });
  return (
    <Page title="证书管理" back="/home">
      <Loaded query={query}>{(found) => (found.length === 0 ? <Empty description="还没有证书" /> : [...found].sort(byProfile).map((one) => <Held key={one.id} held={one} />))}</Loaded>
    </Page>
  );
}

function Held({ held }: { held: HeldCertificate }) {
  const { session, key } = useSession();
  const { withPin, reload, leave } = useApp();
  const navigate = useNavigate();
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const isThis = held.id === key.certificateId;
  const out = async () => {
    await leave();
    await reload();
  };
  const renew = async () => {
    setBusy(true);
    setProblem("");
    try {
      const done = await withPin(key, (pin) => update(key, pin, session.token, out).then(() => true));
      if (done === null) return;
      await navigate("/login", { replace: true });
    } catch (error) {
      setProblem(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card
      className="certificate"
      title={PROFILES[held.profile] ?? held.profile}
      extra={<Tag color={COLOURS[held.state ?? ""] ?? "danger"}>{held.stateWords}</Tag>}
    >
      <dl>
        <dt>使用者</dt>
        <dd>{held.subject ?? "—"}</dd>
        <dt>颁发者</dt>
        <dd>{held.issuer ?? "—"}</dd>
        <dt>有效期</dt>
        <dd>
          {held.notBefore === null || held.notAfter === null ? "—" : `${dateWords(held.notBefore)} – ${dateWords(held.notAfter)}`}
        </dd>
        <dt>序列号</dt>
        <dd className="hex">{held.serial ?? "—"}</dd>
      </dl>
      {isThis && <p className="quiet">本机正在使用</p>}
      {problem !== "" && <p className="problem">{problem}</p>}
      {isThis && UPDATABLE.has(held.state ?? "") && (
        <Button block color="primary" loading={busy} onClick={() => void renew()}>
          更新证书
        </Button>
      )}
    </Card>
  );
}
