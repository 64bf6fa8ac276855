// The CA that issues now.
import { Alert, Descriptions, Spin } from "antd";
import { useEffect, useState } from "react";
import { get, when, wordsOf } from "@/office/ask";
import type { Authority } from "./kinds";

export function AuthorityView() {
  const [authority, setAuthority] = useState<Authority>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    get<Authority>("/admin/authority").then(setAuthority, (error: unknown) => setProblem(wordsOf(error)));
  }, []);
  if (problem !== "") return <Alert type="warning" showIcon title={problem} />;
  if (authority === undefined) return <Spin />;
  return (
    <Descriptions
      bordered
      size="small"
      column={1}
      style={{ maxWidth: 800 }}
      items={[
        { key: "name", label: "名称", children: authority.name },
        { key: "mode", label: "方式", children: authority.modeWords },
        { key: "subject", label: "主体", children: authority.subject },
        { key: "serial", label: "序列号", children: authority.serial },
        { key: "valid", label: "有效期", children: `${when(authority.notBefore)} 至 ${when(authority.notAfter)}` },
        { key: "crl", label: "吊销列表地址", children: authority.crlUrl === "" ? "未设置 signing.public_url" : authority.crlUrl },
        { key: "due", label: "吊销列表有效至", children: when(authority.crlNextUpdate) },
        { key: "waiting", label: "等待导入的证书", children: authority.waiting },
      ]}
    />
  );
}
