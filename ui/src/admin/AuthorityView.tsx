// The CA that issues now and those before; where that is elsewhere (离线), its requests and what it made of them.
import { Alert, App, Button, Descriptions, Flex, Spin, Table, Typography, Upload } from "antd";
import { useState } from "react";
import { base64Of, post, when, wordsOf } from "@/office/ask";
import { Makers } from "./Makers";
import type { Account, Authority, EarlierAuthority } from "./kinds";
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
      {found.earlier.length > 0 && <Earlier rows={found.earlier} />}
      {found.imports && account.hospital === "" && <Offline waiting={found.waiting} onDone={again} />}
      {account.hospital === "" && <Makers />}
    </Flex>
  );
}

function Earlier({ rows }: { rows: EarlierAuthority[] }) {
  return (
    <Flex vertical gap="small">
      <Typography.Text strong>以前的 CA</Typography.Text>
      <Table<EarlierAuthority>
        rowKey="id"
        size="small"
        dataSource={rows}
        pagination={false}
        scroll={{ x: "max-content" }}
        columns={[
          { title: "编号", dataIndex: "id" },
          { title: "主体", dataIndex: "subject" },
          { title: "信任", dataIndex: "trustedWords" },
          { title: "所发证书最晚到期", render: (_, one) => when(one.lastEnd) },
          { title: "吊销列表", dataIndex: "lists" },
          { title: "吊销列表地址", dataIndex: "crlUrl" },
          { title: "有效至", render: (_, one) => when(one.crlNextUpdate) },
        ]}
      />
    </Flex>
  );
}

interface Taken {
  made: number[];
  lists: number[];
  refused: { serial: string; reason: string }[];
}

function Offline({ waiting, onDone }: { waiting: number; onDone: () => void }) {
  const { message } = App.useApp();
  const [problems, setProblems] = useState<string[]>([]);
  const take = async (file: File) => {
    try {
      const { made, lists, refused } = await post<Taken>("/admin/certificates/import", { content: await base64Of(file) });
      if (made.length > 0) void message.success(`已导入 ${made.length} 张证书`);
      if (lists.length > 0) void message.success(`已导入 ${lists.length} 份吊销列表`);
      setProblems(refused.map((one) => `${one.serial === "" ? "吊销列表" : `序列号 ${one.serial}`}：${one.reason}`));
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
          accept=".cer,.crt,.pem,.der,.p7b,.crl"
          showUploadList={false}
          beforeUpload={(file) => {
            void take(file);
            return false;
          }}
        >
          <Button type="primary">导入证书、吊销列表</Button>
        </Upload>
      </Flex>
      {problems.map((one) => (
        <Alert key={one} type="error" showIcon title={one} />
      ))}
    </>
  );
}
