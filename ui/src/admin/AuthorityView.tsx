// The CA that issues now; where that is elsewhere (离线), its requests and what it made of them.
import { Alert, App, Button, Descriptions, Flex, Spin, Upload } from "antd";
import { useState } from "react";
import { base64Of, post, when, wordsOf } from "@/office/ask";
import { Makers } from "./Makers";
import type { Account, Authority } from "./kinds";
import { useAsked } from "./useList";

export function AuthorityView({ account }: { account: Account }) {
  const { found, problem, again } = useAsked<Authority>("/admin/authority");
  if (problem !== "") return <Alert type="warning" showIcon title={problem} />;
  if (found === undefined) return <Spin />;
  return (
    <Flex vertical gap="middle" style={{ maxWidth: 800 }}>
      <Descriptions
        bordered
        size="small"
        column={1}
        items={[
          { key: "name", label: "名称", children: found.name },
          { key: "mode", label: "方式", children: found.modeWords },
          { key: "subject", label: "主体", children: found.subject },
          { key: "serial", label: "序列号", children: found.serial },
          { key: "valid", label: "有效期", children: `${when(found.notBefore)} 至 ${when(found.notAfter)}` },
          ...(found.mode === "online"
            ? [
                { key: "crl", label: "吊销列表地址", children: found.crlUrl === "" ? "未设置 signing.public_url" : found.crlUrl },
                { key: "due", label: "吊销列表有效至", children: when(found.crlNextUpdate) },
              ]
            : []),
          { key: "waiting", label: "等待导入的证书", children: found.waiting },
        ]}
      />
      {found.mode === "offline" && account.hospital === "" && <Offline waiting={found.waiting} onDone={again} />}
      {account.hospital === "" && <Makers />}
    </Flex>
  );
}

interface Taken {
  made: number[];
  refused: { serial: string; reason: string }[];
}

function Offline({ waiting, onDone }: { waiting: number; onDone: () => void }) {
  const { message } = App.useApp();
  const [problems, setProblems] = useState<string[]>([]);
  const take = async (file: File) => {
    try {
      const { made, refused } = await post<Taken>("/admin/certificates/import", { content: await base64Of(file) });
      if (made.length > 0) void message.success(`已导入 ${made.length} 张证书`);
      setProblems(refused.map((one) => `序列号 ${one.serial}：${one.reason}`));
      onDone();
    } catch (error) {
      setProblems([wordsOf(error)]);
    }
  };
  return (
    <>
      <Flex gap="small" wrap>
        <Button href="/web/api/admin/requests.pem" disabled={waiting === 0}>
          下载证书请求（{waiting} 份）
        </Button>
        <Upload
          accept=".cer,.crt,.pem,.der,.p7b"
          showUploadList={false}
          beforeUpload={(file) => {
            void take(file);
            return false;
          }}
        >
          <Button type="primary">导入证书</Button>
        </Upload>
      </Flex>
      {problems.map((one) => (
        <Alert key={one} type="error" showIcon title={one} />
      ))}
    </>
  );
}
