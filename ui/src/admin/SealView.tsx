// One seal whole: what it is, its history, its uses, what may be done with it.
import { Alert, App, Button, Descriptions, Drawer, Flex, Input, Modal, Spin, Table, Tag } from "antd";
import { useCallback, useEffect, useState } from "react";
import { get, post, stands, when, wordsOf } from "@/office/ask";
import { colourOf } from "@/office/states";
import type { Account, Role, SealUse, WholeSeal } from "./kinds";
import { Wallet } from "./Wallet";

interface Act {
  name: string;
  words: string;
  from: string[];
  roles: Role[];
  danger: boolean;
}

const ALL: Role[] = ["operator", "approver", "admin"];
const ACTS: Act[] = [
  { name: "suspend", words: "停用", from: ["in-force", "resumed", "not-yet"], roles: ALL, danger: true },
  { name: "lost", words: "挂失", from: ["in-force", "resumed", "not-yet", "suspended"], roles: ALL, danger: true },
  { name: "resume", words: "恢复", from: ["suspended", "lost"], roles: ["approver"], danger: false },
  {
    name: "revoke",
    words: "吊销",
    from: ["in-force", "resumed", "not-yet", "suspended", "lost", "expired", "renewed"],
    roles: ["approver", "admin"],
    danger: true,
  },
];

export function SealView({ id, account, onClose }: { id: number; account: Account; onClose: () => void }) {
  const { message } = App.useApp();
  const [seal, setSeal] = useState<WholeSeal>();
  const [uses, setUses] = useState<SealUse[]>([]);
  const [problem, setProblem] = useState("");
  const [doing, setDoing] = useState<Act | null>(null);
  const [reason, setReason] = useState("");
  const [exporting, setExporting] = useState(false);
  const root = `/admin/seals/${id}`;
  const load = useCallback(() => {
    Promise.all([get<WholeSeal>(root), get<SealUse[]>(`${root}/uses`)]).then(
      ([found, used]) => {
        setSeal(found);
        setUses(used);
      },
      (error: unknown) => setProblem(wordsOf(error)),
    );
  }, [root]);
  useEffect(load, [load]);
  const act = async (one: Act) => {
    try {
      await post(`${root}/${one.name}`, { reason });
      void message.success(`已${one.words}`);
    } catch (error) {
      if (!stands(error)) return void message.error(wordsOf(error));
      void message.warning(wordsOf(error));
    }
    setDoing(null);
    setReason("");
    load();
  };
  return (
    <Drawer open size={720} title={seal?.name ?? "印章"} onClose={onClose}>
      <Flex vertical gap="middle">
        {problem !== "" && <Alert type="error" showIcon title={problem} />}
        {seal === undefined && problem === "" && <Spin />}
        {seal !== undefined && (
          <>
            <Flex gap="small" wrap>
              {ACTS.filter((one) => one.from.includes(seal.state) && one.roles.includes(account.role)).map((one) => (
                <Button key={one.name} danger={one.danger} onClick={() => setDoing(one)}>
                  {one.words}
                </Button>
              ))}
              {account.role === "approver" && seal.keyHere && seal.usable && (
                <Button onClick={() => setExporting(true)}>导出给签章客户端</Button>
              )}
              <Button href={`/web/api${root}/form.pdf`}>登记表（PDF）</Button>
              <Button href={`/web/api/admin/cases/${seal.unitCase}/form.pdf`}>申请表（PDF）</Button>
              <Button href={`/web/api/admin/cases/${seal.stampCase}/form.pdf`}>采样表（PDF）</Button>
              <Button href={`/web/api${root}/seal.esl`}>印章文件（.esl）</Button>
            </Flex>
            <Facts seal={seal} />
            <Uses root={root} uses={uses} />
          </>
        )}
      </Flex>
      <Modal
        open={doing !== null}
        title={`${doing?.words ?? ""} ${seal?.name ?? ""}`}
        okText={doing?.words}
        okButtonProps={{ danger: doing?.danger === true, disabled: reason.trim() === "" }}
        onOk={() => doing !== null && void act(doing)}
        onCancel={() => setDoing(null)}
      >
        <Flex vertical gap="middle">
          {doing?.name === "revoke" && <Alert type="warning" showIcon title="吊销不能撤销，签章证书同时吊销，吊销列表立即发布" />}
          <Input aria-label="原因" placeholder="原因" maxLength={200} value={reason} onChange={(event) => setReason(event.target.value)} />
        </Flex>
      </Modal>
      {exporting && seal !== undefined && (
        <Wallet
          path={`${root}/wallet`}
          name={seal.name}
          onClose={() => {
            setExporting(false);
            load();
          }}
        />
      )}
    </Drawer>
  );
}

function Facts({ seal }: { seal: WholeSeal }) {
  const since = seal.stateAt === null ? "" : `${when(seal.stateAt)} ${seal.stateReason}`;
  return (
    <Descriptions
      bordered
      size="small"
      column={1}
      items={[
        {
          key: "state",
          label: "状态",
          children: (
            <>
              <Tag color={colourOf(seal.state)}>{seal.stateWords}</Tag> {since}
            </>
          ),
        },
        {
          key: "picture",
          label: "印模",
          children: <img alt="印模" src={`/web/api/admin/seals/${seal.id}/picture.png`} style={{ width: `${seal.width}mm`, height: `${seal.height}mm` }} />,
        },
        { key: "size", label: "尺寸", children: `${seal.width}×${seal.height} 毫米` },
        { key: "hospital", label: "医疗机构", children: seal.hospitalName },
        { key: "kind", label: "种类", children: seal.kindWords },
        { key: "es", label: "印章标识", children: seal.esId },
        { key: "valid", label: "有效期", children: `${when(seal.validBefore)} 至 ${when(seal.validAfter)}` },
        { key: "certificate", label: "签章证书", children: seal.certificate?.subject ?? "私钥在别处（智能密码钥匙）" },
        { key: "holders", label: "印章中写入", children: seal.holdersWords },
        { key: "cases", label: "申请", children: `申请表 ${seal.unitCase}，采样表 ${seal.stampCase}` },
        {
          key: "changes",
          label: "经过",
          children: seal.changes.map((one) => (
            <div key={`${one.at} ${one.act}`}>
              {when(one.at)} {one.actWords} {one.who} {one.reason}
            </div>
          )),
        },
      ]}
    />
  );
}

function Uses({ root, uses }: { root: string; uses: SealUse[] }) {
  return (
    <Flex vertical gap="small">
      <Flex gap="small" align="center">
        <strong>使用记录</strong>
        <Button size="small" href={`/web/api${root}/uses.csv`}>
          CSV
        </Button>
        <Button size="small" href={`/web/api${root}/uses.xlsx`}>
          XLSX
        </Button>
      </Flex>
      <Table<SealUse>
        rowKey="id"
        size="small"
        dataSource={uses}
        scroll={{ x: "max-content" }}
        pagination={{ pageSize: 10, hideOnSinglePage: true }}
        locale={{ emptyText: "还没有使用" }}
        columns={[
          { title: "时间", render: (_, one) => when(one.at) },
          { title: "使用人", dataIndex: "who" },
          { title: "业务标识", dataIndex: "matter" },
          { title: "结果", render: (_, one) => <Tag color={colourOf(one.result)}>{one.resultWords}</Tag> },
          { title: "文档 SM3", render: (_, one) => <code>{one.document.slice(0, 16)}…</code> },
        ]}
      />
    </Flex>
  );
}
