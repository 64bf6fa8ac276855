// What the administration page is told (/web/api/admin/…).
import type { Certificate } from "@/office/states";

export type Role = "admin" | "operator" | "approver";

export interface Account {
  name: string;
  role: Role;
  roleWords: string;
  hospital: string;
  mustChange: boolean;
  disabled: boolean;
  createdAt: number;
}

export interface Hospital {
  code: string;
  name: string;
}

export interface FormField {
  name: string;
  label: string;
  kind:
    | "text"
    | "id-number"
    | "mobile"
    | "phone"
    | "credit-code"
    | "choice"
    | "email"
    | "date"
    | "number"
    | "millimetres"
    | "picture";
  required: boolean;
  most: number;
  choices: string[];
  hint: string;
  part: string;
}

export interface FormKind {
  id: string;
  annex: number;
  title: string;
  aliases: string[];
  rules: string[];
  declarations: string[];
  fields: FormField[];
}

export interface Case {
  id: number;
  form: string;
  formTitle: string;
  hospital: string;
  hospitalName: string;
  applicant: string;
  state: string;
  stateWords: string;
  submittedBy: string;
  submittedAt: number;
  decidedBy: string;
  decidedAt: number | null;
  reason: string;
}

export interface WholeCase extends Case {
  entries: Record<string, string | boolean>;
}

export interface Doctor {
  id: number;
  hospitalName: string;
  name: string;
  department: string;
  title: string;
  userId: string;
  idNumber: string;
  mobile: string;
  sampled: boolean;
  disabled: boolean;
}

export interface HeldCertificate extends Certificate {
  doctor: string;
  hospitalName: string;
}

export interface Authority {
  id: number;
  name: string;
  mode: "online" | "offline";
  modeWords: string;
  subject: string;
  serial: string;
  notBefore: number;
  notAfter: number;
  crlUrl: string;
  crlNextUpdate: number | null;
  waiting: number;
  /** Whether certificates or lists of a CA elsewhere may come. */
  imports: boolean;
  earlier: EarlierAuthority[];
}

export interface EarlierAuthority {
  id: number;
  subject: string;
  serial: string;
  trusted: boolean;
  trustedWords: string;
  lists: string;
  crlUrl: string;
  crlNextUpdate: number | null;
  lastEnd: number | null;
}

/** A seal maker's certificate of this gateway. */
export interface Maker {
  id: number;
  subject: string;
  serial: string;
  notBefore: number;
  notAfter: number;
  seals: number;
  state: string;
  stateWords: string;
  revokedAt: number | null;
}

export const REASONS = [
  { value: 0, label: "未说明" },
  { value: 1, label: "密钥泄露" },
  { value: 3, label: "隶属关系变更" },
  { value: 4, label: "被新证书取代" },
  { value: 5, label: "停止使用" },
  { value: 9, label: "权限收回" },
];

export const ROLES: { value: Role; label: string }[] = [
  { value: "operator", label: "经办人：提交申请" },
  { value: "approver", label: "审批人：审批他人提交的申请" },
  { value: "admin", label: "管理员：账号、医师、证书" },
];

export interface Seal {
  id: number;
  esId: string;
  name: string;
  hospital: string;
  hospitalName: string;
  kind: number;
  kindWords: string;
  width: number;
  height: number;
  holdersWords: string;
  keyHere: boolean;
  state: string;
  stateWords: string;
  stateAt: number | null;
  stateReason: string;
  usable: boolean;
  validBefore: number;
  validAfter: number;
  unitCase: number;
  stampCase: number;
  madeBy: string;
  madeAt: number;
}

export interface SealChange {
  act: string;
  actWords: string;
  who: string;
  at: number;
  reason: string;
}

export interface WholeSeal extends Seal {
  changes: SealChange[];
  certificate: { subject: string; issuer: string; serial: string; notBefore: number; notAfter: number } | null;
}

export interface SealUse {
  id: number;
  at: number;
  who: string;
  document: string;
  matter: string;
  channel: string;
  result: string;
  resultWords: string;
  reason: string;
}

/** An approved application from which a seal may be made. */
export interface ReadyCase extends Case {
  business: string;
  unitName: string;
}

export const SEAL_KINDS = [
  { value: 1, label: "单位公章" },
  { value: 3, label: "业务专用章" },
  { value: 4, label: "报告专用章" },
];

/** Business of annex 5 after which a new seal takes the place of another. */
export const REPLACING = ["证书更新", "信息变更", "丢失补办", "损坏补办"];
