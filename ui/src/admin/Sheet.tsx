// Many applications at once from a sheet: every row is checked first, and handed in only when all are right.
import { Alert, App, Button, Flex, Select, Table, Tag, Typography, Upload } from "antd";
import { useState } from "react";
import { base64Of, post, wordsOf, type Problem } from "@/office/ask";
import type { Account, FormKind, Hospital } from "./kinds";

interface Row {
  line: number;
  entries: Record<string, string>;
  problems: Problem[];
}

interface Read {
  rows: Row[];
  wrong: number;
  made: number[];
}

interface Props {
  account: Account;
  forms: FormKind[];
  hospitals: Hospital[];
}

export function Sheet({ account, forms, hospitals }: Props) {
  const { message } = App.useApp();
  const [chosen, setChosen] = useState("doctor");
  const [hospital, setHospital] = useState(account.hospital);
  const [file, setFile] = useState<{ name: string; content: string }>();
  const [read, setRead] = useState<Read>();
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const possible = forms.filter((one) => one.fields.every((field) => field.kind !== "picture"));
  const form = possible.find((one) => one.id === chosen);

  const send = async (given: { name: string; content: string }, commit: boolean) => {
    setBusy(true);
    setProblem("");
    try {
      const found = await post<Read>("/admin/sheet", { form: chosen, hospital, ...given, commit });
      if (found.made.length > 0) {
        void message.success(`已提交 ${found.made.length} 份`);
        setFile(undefined);
        setRead(undefined);
      } else {
        setFile(given);
        setRead(found);
      }
    } catch (error) {
      setProblem(wordsOf(error));
      setRead(undefined);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Flex vertical gap="middle">
      <Flex gap="small" wrap>
        <Select
          aria-label="表单"
          value={chosen}
          style={{ width: 360 }}
          options={possible.map((one) => ({ value: one.id, label: one.title }))}
          onChange={(value) => {
            setChosen(value);
            setRead(undefined);
          }}
        />
        {account.hospital === "" && (
          <Select<string>
            aria-label="医疗机构"
            placeholder="医疗机构"
            style={{ width: 240 }}
            {...(hospital === "" ? {} : { value: hospital })}
            options={hospitals.map((one) => ({ value: one.code, label: one.name }))}
            onChange={setHospital}
          />
        )}
        <Button href={`/web/api/admin/forms/${chosen}/template.xlsx`}>下载空白表格</Button>
        <Upload
          accept=".xlsx,.csv,.json"
          showUploadList={false}
          disabled={hospital === "" || busy}
          beforeUpload={(one) => {
            base64Of(one).then(
              (content) => send({ name: one.name, content }, false),
              (error: unknown) => setProblem(wordsOf(error)),
            );
            return false;
          }}
        >
          <Button type="primary" loading={busy} disabled={hospital === ""}>
            选择表格
          </Button>
        </Upload>
      </Flex>
      <Typography.Text type="secondary">支持 XLSX、CSV、JSON，首行为列名；先检查每一行，全部正确后才能提交。</Typography.Text>
      {problem !== "" && <Alert type="error" showIcon title={problem} />}
      {read !== undefined && file !== undefined && (
        <>
          <Alert
            type={read.wrong > 0 ? "warning" : "success"}
            showIcon
            title={read.wrong > 0 ? `${read.rows.length} 行中有 ${read.wrong} 行要改，改好后重新选择` : `${read.rows.length} 行全部正确`}
            action={
              read.wrong === 0 && (
                <Button type="primary" loading={busy} onClick={() => void send(file, true)}>
                  提交 {read.rows.length} 份申请
                </Button>
              )
            }
          />
          <Table<Row>
            rowKey="line"
            size="small"
            dataSource={read.rows}
            scroll={{ x: "max-content" }}
            pagination={{ pageSize: 20, hideOnSinglePage: true }}
            columns={[
              { title: "行", dataIndex: "line" },
              ...(form?.fields ?? []).map((field) => ({ title: field.label, render: (_: unknown, row: Row) => row.entries[field.name] })),
              {
                title: "检查",
                render: (_: unknown, row: Row) =>
                  row.problems.length === 0 ? (
                    <Tag color="success">正确</Tag>
                  ) : (
                    row.problems.map((one) => (
                      <div key={one.field}>
                        <Typography.Text type="danger">
                          {one.label}：{one.reason}
                        </Typography.Text>
                      </div>
                    ))
                  ),
              },
            ]}
          />
        </>
      )}
    </Flex>
  );
}
