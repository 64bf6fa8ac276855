// What a doctor has after logging in: the activation QR, certificates, the password.
import { Alert, App, Button, Card, Descriptions, Flex, Modal, Table, Tag, Typography } from "antd";
import { useEffect, useState } from "react";
import { get, post, when, wordsOf } from "@/office/ask";
import { PasswordForm } from "@/office/PasswordForm";
import { colourOf, type Certificate } from "@/office/states";

export interface Doctor {
  name: string;
  hospital: string;
  department: string;
  mobile: string;
  mustChange: boolean;
}

interface Activation {
  code: string;
  expiresAt: number;
  qrPng: string;
  phoneUrl: string;
}

interface Props {
  doctor: Doctor;
  onChange: (doctor: Doctor | null) => void;
  onLeave: () => void;
}

export function Home({ doctor, onChange, onLeave }: Props) {
  const { message } = App.useApp();
  const [changing, setChanging] = useState(false);
  const save = async (old: string, fresh: string) => {
    onChange((await post<{ doctor: Doctor | null }>("/self/password", { old, new: fresh })).doctor);
    setChanging(false);
    void message.success("口令已修改");
  };
  return (
    <>
      <Card
        extra={
          <Flex gap="small">
            <Button onClick={() => setChanging(true)}>修改口令</Button>
            <Button onClick={onLeave}>退出</Button>
          </Flex>
        }
        title={doctor.name}
      >
        <Descriptions
          column={{ xs: 1, sm: 3 }}
          items={[
            { key: "hospital", label: "医院", children: doctor.hospital },
            { key: "department", label: "科室", children: doctor.department },
            { key: "mobile", label: "手机号", children: doctor.mobile },
          ]}
        />
      </Card>
      <ActivationCard />
      <Certificates />
      <Modal open={changing} title="修改口令" footer={null} onCancel={() => setChanging(false)} destroyOnHidden>
        <PasswordForm save={save} oldHint="" />
      </Modal>
    </>
  );
}

function ActivationCard() {
  const [given, setGiven] = useState<Activation | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const ask = async () => {
    setBusy(true);
    setProblem("");
    try {
      setGiven(await post<Activation>("/self/activation"));
    } catch (error) {
      setProblem(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title="激活证书">
      <Flex vertical gap="middle" align="start">
        <Typography.Text>用手机应用扫描激活二维码，或输入激活码，下载证书并设置证书密码。</Typography.Text>
        <Button type="primary" loading={busy} onClick={() => void ask()}>
          获取激活二维码
        </Button>
        {problem !== "" && <Alert type="error" showIcon title={problem} />}
        {given !== null && (
          <Flex gap="large" wrap align="center">
            <img alt="激活二维码" src={`data:image/png;base64,${given.qrPng}`} width={260} height={260} />
            <Flex vertical gap="small">
              <Typography.Text type="secondary">激活码</Typography.Text>
              <Typography.Title level={3} copyable style={{ margin: 0 }}>
                {given.code}
              </Typography.Title>
              <Typography.Text>有效至 {when(given.expiresAt)}</Typography.Text>
              <Typography.Text type="secondary">只能用一次；重新获取后，此前的作废</Typography.Text>
              <Typography.Text>
                手机应用：用手机浏览器打开 <Typography.Text copyable>{given.phoneUrl}</Typography.Text>
              </Typography.Text>
            </Flex>
          </Flex>
        )}
      </Flex>
    </Card>
  );
}

function Certificates() {
  const [rows, setRows] = useState<Certificate[]>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    get<Certificate[]>("/self/certificates").then(setRows, (error: unknown) => setProblem(wordsOf(error)));
  }, []);
  return (
    <Card title="我的证书">
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      <Table<Certificate>
        rowKey="id"
        size="small"
        pagination={false}
        loading={rows === undefined && problem === ""}
        dataSource={rows ?? []}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: "还没有证书：请获取激活二维码，用手机下载" }}
        columns={[
          { title: "种类", dataIndex: "profileWords" },
          {
            title: "状态",
            render: (_, one) => <Tag color={colourOf(one.state)}>{one.replaced ? `${one.stateWords}（已换新）` : one.stateWords}</Tag>,
          },
          { title: "生效", render: (_, one) => when(one.notBefore) },
          { title: "到期", render: (_, one) => when(one.notAfter) },
          { title: "序列号", dataIndex: "serial" },
        ]}
      />
    </Card>
  );
}
