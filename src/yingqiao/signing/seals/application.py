"""The forms of annexes 5 and 6: one form serves the certificate and the seal, its parts are I to X (T161, T163)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from yingqiao.signing.enrolment.form import IDENTITY_CARD, Field, FieldKind, Form

FIRST, RENEWAL, CHANGE, LOST = "初次办理", "证书更新", "信息变更", "丢失补办"
REPLACEMENTS: Final = (RENEWAL, CHANGE, LOST, "损坏补办")
"""Business after which a new seal takes the place of one there is."""
BUSINESSES: Final = (FIRST, *REPLACEMENTS, "密码解锁", "证书吊销", "证书退货")
DOCUMENTS: Final = (IDENTITY_CARD, "护照", "港澳居民来往内地通行证", "台湾居民来往大陆通行证", "其他")
_YEARS = {"1 年": 12, "2 年": 24, "3 年": 36, "5 年": 60}

UNIT: Final = Form(
    "unit",
    5,
    "单位数字证书申请表",
    (
        Field("business", "证书业务类型", FieldKind.CHOICE, choices=BUSINESSES, part="I 证书业务类型"),
        Field(
            "validity",
            "证书有效期",
            FieldKind.CHOICE,
            False,
            choices=tuple(_YEARS),
            hint="不填按平台规定",
            part="II 证书有效期",
        ),
        Field("channel", "渠道名称", required=False, part="III 证书应用信息"),
        Field("applicationOwner", "应用归属单位", required=False, most=128),
        Field("applicationSystem", "应用系统名称", required=False, most=128),
        Field("unitName", "单位名称", most=128, part="IV 申请单位信息"),
        Field("unitPhone", "单位电话", FieldKind.PHONE),
        Field("address", "通信地址", most=200),
        Field("legalName", "法定代表人姓名", most=32, part="V 法定代表人信息"),
        Field("legalMobile", "法定代表人手机号", FieldKind.MOBILE, False),
        Field("legalDocument", "法定代表人证件类型", FieldKind.CHOICE, False, choices=DOCUMENTS),
        Field("legalNumber", "法定代表人证件号", required=False, identity_if="legalDocument"),
        Field("handlerName", "经办人姓名", most=32, part="VI 经办人信息"),
        Field("handlerMobile", "经办人手机", FieldKind.MOBILE),
        Field("handlerEmail", "经办人邮箱", FieldKind.EMAIL, most=128),
        Field("handlerDocument", "经办人证件类型", FieldKind.CHOICE, choices=DOCUMENTS),
        Field("handlerNumber", "经办人证件号", identity_if="handlerDocument"),
        Field("creditCode", "统一社会信用代码", FieldKind.CREDIT_CODE, part="VII 企业基本信息"),
        Field("otherDocument", "其他证件类型", required=False),
        Field("otherNumber", "其他证件号码", required=False),
        Field("accountName", "银行开户名", required=False, most=128, part="VIII 申请单位银行账户信息"),
        Field("bank", "开户银行", required=False, most=128),
        Field("bankProvince", "开户银行所在省份", required=False),
        Field("bankCity", "开户银行所在城市", required=False),
        Field("bankBranch", "开户银行支行名称", required=False, most=128),
        Field("account", "企业对公账号", FieldKind.NUMBER, False, most=40),
        Field("appliedOn", "申请日期", FieldKind.DATE, False, hint="yyyy-MM-dd", part="IX 申请单位声明"),
    ),
    aliases=("医疗机构电子印章申请表", "单位电子签章申请表"),
    declarations=(
        "本申请表及所提交的材料真实、准确、完整，经办人已得到本单位授权",
        "本单位已阅读并同意电子认证服务协议，加盖公章即为接受",
        "本单位持有或可靠控制与证书对应的私钥（电子签名制作数据）",
        "同意电子认证服务机构为签发证书收集本表所列信息",
    ),
    attachments=(
        "本表一式两份，加盖公章，各页须盖骑缝章",
        "经办人证件复印件（正反面印在一张 A4 纸的同一面），加盖公章",
        "载有统一社会信用代码的登记证件复印件，加盖公章",
        "现场提交；《数字证书签收单》须加盖公章",
    ),
)
STAMP: Final = Form(
    "stamp",
    6,
    "单位电子印章采样表",
    (
        Field("unitName", "单位名称", most=128, hint="全称，与印章一致"),
        Field("note", "备注", required=False, most=200),
        Field("width", "印章宽（毫米）", FieldKind.MILLIMETRES, inferred=True),
        Field("height", "印章高（毫米）", FieldKind.MILLIMETRES, inferred=True),
        Field("picture1", "电子签章图形采样（一）", FieldKind.PICTURE, most=80),
        Field("picture2", "电子签章图形采样（二）", FieldKind.PICTURE, False, most=80),
        Field("picture3", "电子签章图形采样（三）", FieldKind.PICTURE, False, most=80),
        Field("picture4", "电子签章图形采样（四）", FieldKind.PICTURE, False, most=80),
        Field("result", "电子印章图片（已确认）", FieldKind.PICTURE, most=80, inferred=True),
    ),
    rules=(
        "单位名称填写全称，与印章一致",
        "采样区保持干净，印章盖在空白区内",
        "最多采样四次",
        "表格保持平整",
        "印油充足，用力按压，清楚、完整、不变形",
    ),
    aliases=("医疗机构签章采样表",),
)


def months_of(entries: Mapping[str, str], default: int) -> int:
    """The validity asked for in part II."""
    return _YEARS.get(entries.get("validity", ""), default)
