// Colours of what an application or a certificate is in.

const COLOURS: Record<string, string> = {
  submitted: "processing",
  approved: "success",
  rejected: "error",
  withdrawn: "default",
  normal: "success",
  expiring: "warning",
  renewable: "warning",
  expired: "default",
  revoked: "error",
  waiting: "processing",
  "not-yet": "default",
  "in-force": "success",
  resumed: "success",
  suspended: "warning",
  lost: "error",
  renewed: "default",
  begun: "processing",
  sealed: "success",
  failed: "error",
};

export const colourOf = (state: string) => COLOURS[state] ?? "default";

export interface Certificate {
  id: number;
  profile: string;
  profileWords: string;
  serial: string | null;
  notBefore: number | null;
  notAfter: number | null;
  state: string;
  stateWords: string;
  replaced: boolean;
  revocationWords: string;
}
