// An application filled in on the page: its entries are those of the form.
import { Alert, App, Button, Flex, Form, Input, Select, Typography } from "antd";
import { useState } from "react";
import { Refused, post, wordsOf } from "@/office/ask";
import { SignaturePad } from "./SignaturePad";
import { Accepted, StampSampler } from "./StampSampler";
import type { Account, FormField, FormKind, Hospital } from "./kinds";

interface Props {
  account: Account;
  forms: FormKind[];
  hospitals: Hospital[];
}

export function NewCase({ account, forms, hospitals }: Props) {
  const { message } = App.useApp();
  const [sheet] = Form.useForm<Record<string, string>>();
  const [chosen, setChosen] = useState("doctor");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const form = forms.find((one) => one.id === chosen);
  const submit = async (given: Record<string, string>) => {
    const { hospitalCode, ...entries } = given;
    setBusy(true);
    setProblem("");
    try {
      const { id } = await post<{ id: number }>("/admin/cases", { form: chosen, hospital: hospitalCode ?? "", entries });
      void message.success(`已提交，编号 ${id}`);
      sheet.resetFields();
    } catch (error) {
      const problems = error instanceof Refused ? error.problems : [];
      sheet.setFields(problems.map(({ field, reason }) => ({ name: field, errors: [reason] })));
      setProblem(problems.length > 0 ? `有 ${problems.length} 处要改` : wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  if (form === undefined) return null;
  return (
    <Form form={sheet} key={chosen} layout="vertical" style={{ maxWidth: 560 }} onFinish={(given) => void submit(given)}>
      <Form.Item label="表单">
        <Select
          aria-label="表单"
          value={chosen}
          options={forms.map((one) => ({ value: one.id, label: `附件 ${one.annex} ${one.title}` }))}
          onChange={(value) => {
            sheet.resetFields();
            setProblem("");
            setChosen(value);
          }}
        />
      </Form.Item>
      {account.hospital === "" && (
        <Form.Item name="hospitalCode" label="医疗机构" rules={[{ required: true, message: "请选择" }]}>
          <Select showSearch={{ optionFilterProp: "label" }} options={hospitals.map((one) => ({ value: one.code, label: one.name }))} />
        </Form.Item>
      )}
      {form.aliases.length > 0 && (
        <Typography.Paragraph type="secondary">又称：{form.aliases.join("、")}</Typography.Paragraph>
      )}
      <Button href={`/web/api/admin/forms/${chosen}/blank.pdf`} style={{ marginBottom: 16 }}>
        打印空白表（PDF）
      </Button>
      {form.rules.length > 0 && (
        <ol style={{ paddingInlineStart: 20 }}>
          {form.rules.map((rule) => (
            <li key={rule}>
              <Typography.Text type="secondary">{rule}</Typography.Text>
            </li>
          ))}
        </ol>
      )}
      {form.id === "stamp" && <StampSampler onAccept={(found) => sheet.setFieldsValue(found)} />}
      {form.fields.map((field) => (
        <div key={field.name}>
          {field.part !== "" && (
            <Typography.Title level={5} style={{ marginTop: 24 }}>
              {field.part}
            </Typography.Title>
          )}
          {field.part.startsWith("IX") && <Declarations said={form.declarations} />}
          <Form.Item
            name={field.name}
            label={field.label}
            extra={field.hint === "" ? undefined : field.hint}
            rules={field.required ? [{ required: true, message: "必填" }] : []}
          >
            {inputOf(form.id, field)}
          </Form.Item>
        </div>
      ))}
      <Flex vertical gap="middle">
        {problem !== "" && <Alert type="error" showIcon title={problem} />}
        <Button type="primary" htmlType="submit" loading={busy}>
          提交申请
        </Button>
      </Flex>
    </Form>
  );
}

function Declarations({ said }: { said: string[] }) {
  return (
    <ol style={{ paddingInlineStart: 20 }}>
      {said.map((one) => (
        <li key={one}>{one}</li>
      ))}
    </ol>
  );
}

function inputOf(form: string, field: FormField) {
  if (field.kind === "choice")
    return <Select allowClear={!field.required} options={field.choices.map((one) => ({ value: one, label: one }))} />;
  if (field.kind === "picture" && form === "stamp") return <Accepted label={field.label} transparent={field.name === "result"} />;
  if (field.kind === "picture") return <SignaturePad label={field.label} />;
  return <Input maxLength={field.most} autoComplete="off" />;
}
