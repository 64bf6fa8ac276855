// /admin/: applications for certificates and seals, doctors, certificates, seals, accounts.
import { Alert, Button, Card, Flex, Form, Input, Layout, Modal, Spin, Tabs, Typography } from "antd";
import { useCallback, useEffect, useState } from "react";
import { get, post, wordsOf } from "@/office/ask";
import { PasswordForm } from "@/office/PasswordForm";
import { useSessionOver } from "@/office/useSessionOver";
import { AuthorityView } from "./AuthorityView";
import { Cases } from "./Cases";
import { Certificates } from "./Certificates";
import { Doctors } from "./Doctors";
import { NewCase } from "./NewCase";
import { Seals } from "./Seals";
import { Sheet } from "./Sheet";
import { Staff } from "./Staff";
import type { Account, FormKind, Hospital } from "./kinds";

interface Session {
  account: Account | null;
}

export function Admin() {
  const [account, setAccount] = useState<Account | null>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    get<Session>("/admin/session").then(
      (said) => setAccount(said.account),
      (error: unknown) => {
        setProblem(wordsOf(error));
        setAccount(null);
      },
    );
  }, []);
  const over = useCallback(() => {
    setProblem("登录已失效，请重新登录");
    setAccount(null);
  }, []);
  useSessionOver(over);
  const leave = () => {
    setProblem("");
    void post("/admin/logout").finally(() => setAccount(null));
  };
  if (account === undefined) return <Spin style={{ margin: 48 }} />;
  if (account === null) return <Login problem={problem} onDone={setAccount} />;
  if (account.mustChange) return <FirstPassword account={account} onDone={setAccount} onLeave={leave} />;
  return <Desk account={account} onChange={setAccount} onLeave={leave} />;
}

function Login({ problem, onDone }: { problem: string; onDone: (account: Account | null) => void }) {
  const [wrong, setWrong] = useState(problem);
  const [busy, setBusy] = useState(false);
  const submit = async (entries: { name: string; password: string }) => {
    setBusy(true);
    setWrong("");
    try {
      onDone((await post<Session>("/admin/login", entries)).account);
    } catch (error) {
      setWrong(wordsOf(error));
      setBusy(false);
    }
  };
  return (
    <Card title="证书管理 · 登录" style={{ width: "calc(100% - 32px)", maxWidth: 420, margin: "64px auto" }}>
      <Form layout="vertical" requiredMark={false} onFinish={(entries) => void submit(entries)}>
        <Form.Item name="name" label="账号" rules={[{ required: true, message: "请输入账号" }]}>
          <Input autoComplete="username" maxLength={64} />
        </Form.Item>
        <Form.Item name="password" label="口令" rules={[{ required: true, message: "请输入口令" }]}>
          <Input.Password autoComplete="current-password" maxLength={128} />
        </Form.Item>
        <Flex vertical gap="middle">
          {wrong !== "" && <Alert type="error" showIcon title={wrong} />}
          <Button type="primary" htmlType="submit" loading={busy} block>
            登录
          </Button>
        </Flex>
      </Form>
    </Card>
  );
}

interface Props {
  account: Account;
  onLeave: () => void;
  onDone: (account: Account | null) => void;
}

function FirstPassword({ account, onDone, onLeave }: Props) {
  const save = async (old: string, fresh: string) =>
    onDone((await post<Session>("/admin/password", { old, new: fresh })).account);
  return (
    <Card
      title={`${account.name}，请先设置自己的口令`}
      extra={<Button onClick={onLeave}>退出</Button>}
      style={{ width: "calc(100% - 32px)", maxWidth: 420, margin: "64px auto" }}
    >
      <PasswordForm save={save} oldHint="管理员给的首个口令" />
    </Card>
  );
}

function Desk({ account, onChange, onLeave }: Omit<Props, "onDone"> & { onChange: Props["onDone"] }) {
  const [forms, setForms] = useState<FormKind[]>([]);
  const [hospitals, setHospitals] = useState<Hospital[]>([]);
  const [problem, setProblem] = useState("");
  const [changing, setChanging] = useState(false);
  useEffect(() => {
    Promise.all([get<FormKind[]>("/admin/forms"), get<Hospital[]>("/admin/hospitals")]).then(
      ([kinds, places]) => {
        setForms(kinds);
        setHospitals(places);
      },
      (error: unknown) => setProblem(wordsOf(error)),
    );
  }, []);
  const save = async (old: string, fresh: string) => {
    onChange((await post<Session>("/admin/password", { old, new: fresh })).account);
    setChanging(false);
  };
  const shared = { account, forms, hospitals };
  const tabs = [
    { key: "cases", label: "申请", children: <Cases {...shared} /> },
    ...(account.role === "operator"
      ? [
          { key: "new", label: "填写申请", children: <NewCase {...shared} /> },
          { key: "sheet", label: "表格导入", children: <Sheet {...shared} /> },
        ]
      : []),
    { key: "doctors", label: "医师", children: <Doctors account={account} /> },
    { key: "certificates", label: "证书", children: <Certificates account={account} /> },
    { key: "seals", label: "印章", children: <Seals account={account} /> },
    ...(account.role === "admin"
      ? [
          { key: "staff", label: "账号", children: <Staff {...shared} /> },
          { key: "authority", label: "CA", children: <AuthorityView account={account} /> },
        ]
      : []),
  ];
  return (
    <Layout style={{ minHeight: "100vh", background: "#fff" }}>
      <Flex justify="space-between" align="center" wrap style={{ padding: "12px 24px", borderBottom: "1px solid #eee" }}>
        <Typography.Title level={4} style={{ margin: 0 }}>
          证书管理
        </Typography.Title>
        <Flex gap="small" align="center">
          <Typography.Text>
            {account.name}（{account.roleWords}
            {account.hospital === "" ? "" : ` · ${hospitals.find((one) => one.code === account.hospital)?.name ?? account.hospital}`}）
          </Typography.Text>
          <Button onClick={() => setChanging(true)}>修改口令</Button>
          <Button onClick={onLeave}>退出</Button>
        </Flex>
      </Flex>
      <div style={{ padding: "0 24px 24px" }}>
        {problem !== "" && <Alert type="error" showIcon title={problem} />}
        <Tabs items={tabs} destroyOnHidden />
      </div>
      <Modal open={changing} title="修改口令" footer={null} onCancel={() => setChanging(false)} destroyOnHidden>
        <PasswordForm save={save} oldHint="" />
      </Modal>
    </Layout>
  );
}
