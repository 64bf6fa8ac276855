// The gateway's front door: whether it works, and where people go from here.
import { Alert, Card, Flex, Typography } from "antd";
import { useEffect, useState } from "react";

interface Place {
  title: string;
  words: string;
  href: string;
}

const PLACES: Place[] = [
  { title: "验证签名", words: "签名、时间戳与证书的验证报告", href: "/verify/" },
  { title: "验证签章", words: "拖入盖章的 PDF，看每处签章是谁、何时盖的，盖章后有无改动", href: "/verify/#seal" },
  { title: "手机签名", words: "协同签名：医生用手机打开并安装", href: "/phone/" },
  { title: "证书自助服务", words: "医师登录、设置口令、获取激活二维码", href: "/web/Selfcertification/#/" },
  { title: "证书管理", words: "证书申请、审批、吊销与账号管理", href: "/admin/" },
  { title: "接口描述", words: "OpenAPI 文档，供厂商对接", href: "/openapi.json" },
];

type Health = "asking" | "ready" | "not-ready" | "silent";

export function Front() {
  const health = useHealth();
  return (
    <Flex vertical gap="large" style={{ maxWidth: 960, margin: "48px auto", padding: "0 24px" }}>
      <Typography.Title level={2}>影桥 · 医学影像云前置机</Typography.Title>
      <HealthLine health={health} />
      <Flex wrap gap="middle">
        {PLACES.map((place) => (
          <a key={place.href} href={place.href}>
            <Card title={place.title} hoverable style={{ width: 290 }}>
              {place.words}
            </Card>
          </a>
        ))}
      </Flex>
    </Flex>
  );
}

function HealthLine({ health }: { health: Health }) {
  switch (health) {
    case "asking":
      return <Alert type="info" title="正在询问网关状态…" />;
    case "ready":
      return <Alert type="success" showIcon title="网关工作正常" />;
    case "not-ready":
      return <Alert type="warning" showIcon title="网关未就绪" description="详见 /health/ready 或请管理员查看日志" />;
    case "silent":
      return <Alert type="error" showIcon title="网关没有应答" description="请检查网络，或请管理员查看服务是否在运行" />;
  }
}

function useHealth(): Health {
  const [health, setHealth] = useState<Health>("asking");
  useEffect(() => {
    let current = true;
    fetch("/health/ready").then(
      (answer) => current && setHealth(answer.ok ? "ready" : "not-ready"),
      () => current && setHealth("silent"),
    );
    return () => {
      current = false;
    };
  }, []);
  return health;
}
