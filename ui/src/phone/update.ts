// Updating a certificate: whether, and the dialogs of annex 7 (28, 29, 30).
import { Dialog, Toast } from "antd-mobile";
import { makeKey, requestCertificate, type LoggedIn } from "./signing.ts";
import { keys, type Key } from "./store.ts";

/** Asks as the certificate's state demands. False: one may not go on with this certificate. Throws Refused, Unreachable. */
export async function offerUpdate(key: Key, pin: string, found: LoggedIn, reload: () => Promise<void>): Promise<boolean> {
  switch (found.certificateState) {
    case "expiring":
      if (!(await ask("证书即将到期", "距到期不足一个月，仍可使用。现在更新吗？", "以后再说"))) return true;
      await update(key, pin, found.token, reload);
      return false;
    case "renewable":
      if (!(await ask("证书已过期", "过期不超过一个月，可以更新；不更新不能登录和签名。", "取消"))) return false;
      await update(key, pin, found.token, reload);
      return false;
    case "expired":
      await Dialog.alert({ title: "证书已过期", content: "过期超过一个月，不能更新，请重新下载证书。", confirmText: "确定" });
      return false;
    case "revoked":
      await Dialog.alert({ title: "证书已吊销", content: "请联系管理员；需要时重新申请并下载证书。", confirmText: "确定" });
      return false;
    case "not-yet":
      await Dialog.alert({ title: "证书尚未生效", content: "请核对手机时间，或稍后再试。", confirmText: "确定" });
      return false;
    default:
      return true;
  }
}

function ask(title: string, content: string, cancelText: string): Promise<boolean> {
  return Dialog.confirm({ title, content, confirmText: "更新证书", cancelText });
}

/**
 * A new key and certificate under the same PIN; the old share goes. Log in with the new one afterwards: it is said once
 * `reload` has brought it to the screen, or a password begun for the old one would be lost.
 */
export async function update(key: Key, pin: string, token: string, reload: () => Promise<void>): Promise<void> {
  const made = await makeKey(key.service, { token }, key, pin);
  const certified = await requestCertificate(made, pin, token);
  if (certified.certificate !== null) await keys.remove(key.keyId);
  await reload();
  const words = certified.certificate === null ? "证书尚未生成，请等待证书导入" : "证书已更新，请用新证书登录";
  Toast.show({ content: words, duration: 4000 });
}
