// /web/Selfcertification/: a doctor logs in, sets a password, gets the QR code that brings the certificate to the phone.
import { Alert, Button, Card, Flex, Form, Input, Spin, Typography } from "antd";
import { useCallback, useEffect, useState } from "react";
import { get, post, wordsOf } from "@/office/ask";
import { PasswordForm } from "@/office/PasswordForm";
import { useSessionOver } from "@/office/useSessionOver";
import { Home, type Doctor } from "./Home";

interface Session {
  doctor: Doctor | null;
}

export function SelfService() {
  const [doctor, setDoctor] = useState<Doctor | null>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    get<Session>("/self/session").then(
      (said) => setDoctor(said.doctor),
      (error: unknown) => {
        setProblem(wordsOf(error));
        setDoctor(null);
      },
    );
  }, []);
  const over = useCallback(() => {
    setProblem("登录已失效，请重新登录");
    setDoctor(null);
  }, []);
  useSessionOver(over);
  const leave = () => {
    setProblem("");
    void post("/self/logout").finally(() => setDoctor(null));
  };
  return (
    <Flex vertical gap="middle" style={{ maxWidth: 720, margin: "32px auto", padding: "0 16px" }}>
      <Typography.Title level={3} style={{ margin: 0 }}>
        证书自助服务
      </Typography.Title>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      {doctor === undefined && <Spin />}
      {doctor === null && (
        <Login
          onDone={(found) => {
            setProblem("");
            setDoctor(found);
          }}
        />
      )}
      {doctor?.mustChange === true && <FirstPassword doctor={doctor} onDone={setDoctor} onLeave={leave} />}
      {doctor?.mustChange === false && <Home doctor={doctor} onChange={setDoctor} onLeave={leave} />}
    </Flex>
  );
}

function Login({ onDone }: { onDone: (doctor: Doctor | null) => void }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (entries: { mobile: string; password: string }) => {
    setBusy(true);
    setProblem("");
    try {
      onDone((await post<Session>("/self/login", entries)).doctor);
    } catch (error) {
      setProblem(wordsOf(error));
      setBusy(false);
    }
  };
  return (
    <Card title="登录" style={{ maxWidth: 420 }}>
      <Form layout="vertical" requiredMark={false} onFinish={(entries) => void submit(entries)}>
        <Form.Item name="mobile" label="手机号" rules={[{ required: true, message: "请输入手机号" }]}>
          <Input inputMode="numeric" autoComplete="username" maxLength={32} />
        </Form.Item>
        <Form.Item
          name="password"
          label="口令"
          extra="首次登录为身份证号后六位，末位 X 须大写"
          rules={[{ required: true, message: "请输入口令" }]}
        >
          <Input.Password autoComplete="current-password" maxLength={128} />
        </Form.Item>
        <Flex vertical gap="middle">
          {problem !== "" && (
            <Alert type="error" showIcon title={problem} description="确认无误仍不能登录时，请联系医院的证书管理人员" />
          )}
          <Button type="primary" htmlType="submit" loading={busy} block>
            登录
          </Button>
        </Flex>
      </Form>
    </Card>
  );
}

interface FirstProps {
  doctor: Doctor;
  onDone: (doctor: Doctor | null) => void;
  onLeave: () => void;
}

function FirstPassword({ doctor, onDone, onLeave }: FirstProps) {
  const save = async (old: string, fresh: string) =>
    onDone((await post<Session>("/self/password", { old, new: fresh })).doctor);
  return (
    <Card title={`${doctor.name}，请先设置自己的口令`} extra={<Button onClick={onLeave}>退出</Button>} style={{ maxWidth: 420 }}>
      <PasswordForm save={save} oldHint="身份证号后六位，末位 X 须大写" />
    </Card>
  );
}
