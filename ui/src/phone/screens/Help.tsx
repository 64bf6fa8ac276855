// Help (annex 7, row 24).
import { Collapse } from "antd-mobile";
import icon from "@/common/icon.svg";
import { Page } from "../parts/Page.tsx";

export function Help() {
  return (
    <Page title="帮助中心" back="/mine">
      <Collapse accordion>
        <Collapse.Panel key="agreement" title="电子认证服务协议">
          <p>证书由您所在医院选定的电子认证服务机构（或医院自建的认证系统）签发，用于在影像报告等医疗文书上作电子签名。</p>
          <p>您应妥善保管手机和证书密码；用您的证书作出的签名视为您本人所为。手机遗失、密码泄露或信息变更，请立即联系医院管理员吊销证书。</p>
          <p>签名前请核对“签名内容”：页面显示的就是被签名的原文。具体权利义务以您与签发机构签署的协议为准。</p>
        </Collapse.Panel>
        <Collapse.Panel key="privacy" title="个人信息保护政策">
          <p>本应用在手机上保存：已添加的服务、您的姓名与科室、证书、加密后的密钥分量。不收集位置、通讯录或使用统计，不向第三方发送数据。</p>
          <p>证书密码不离开手机。摄像头与相册只在您扫码、上传签章时使用，画面不保存。</p>
          <p>待签文件在查看时从服务读取，不在手机上保存。卸载应用或清除浏览器数据即删除以上全部内容。</p>
        </Collapse.Panel>
        <Collapse.Panel key="features" title="版本特性">
          <ul>
            <li>扫码、手动连接多家医院的签名服务</li>
            <li>用激活码、二维码、手机号下载证书</li>
            <li>查看原文后签名或拒签，支持批量签署</li>
            <li>SM2 协同签名：完整的私钥不在任何一处出现</li>
            <li>手写签章、自动签名、指纹或面容认证</li>
          </ul>
        </Collapse.Panel>
        <Collapse.Panel key="about" title="关于">
          <div className="centre">
            <img src={icon} alt="" width={64} height={64} />
            <p>影桥协同签名</p>
            <p className="quiet">版本 2.1</p>
          </div>
        </Collapse.Panel>
      </Collapse>
    </Page>
  );
}
