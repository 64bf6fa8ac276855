"""The forms of annexes 2 to 6. Annex 3's columns are lost in the published text: what the flow needs is inferred (T162)."""

from __future__ import annotations

from typing import Final

from yingqiao.signing.enrolment.form import Field, FieldKind, Form
from yingqiao.signing.seals.application import STAMP, UNIT

ACCESS: Final = Form(
    "access",
    2,
    "山西省医疗数字影像云平台电子签名接入申请表",
    (
        Field("hospitalName", "医院名称", most=128),
        Field("creditCode", "医院统一社会信用代码", FieldKind.CREDIT_CODE),
        Field("contactName", "联系人姓名", most=32),
        Field("contactPhone", "联系人电话", FieldKind.PHONE),
        Field("hasSigning", "电子签名", FieldKind.CHOICE, choices=("已建设电子签名", "未建设电子签名")),
        Field("signingVendor", "电子签名厂商名称", most=128, hint="未建设时填“无”"),
        Field("pacsVendor", "PACS厂家名称", most=128),
    ),
    aliases=("电子签名接入申请表",),
)
DOCTOR: Final = Form(
    "doctor",
    3,
    "PACS影像报告审核医师人员证书业务申请表",
    (
        Field("name", "姓名", most=32, inferred=True),
        Field("idNumber", "身份证号", FieldKind.ID_NUMBER, inferred=True),
        Field("mobile", "手机号", FieldKind.MOBILE, hint="自助服务的登录名", inferred=True),
        Field("department", "科室", inferred=True),
        Field("title", "职称", required=False, most=32, inferred=True),
        Field(
            "userId",
            "工号",
            required=False,
            most=64,
            hint="PACS 中的用户标识，即 authorizedUserId",
            inferred=True,
        ),
        Field(
            "business",
            "业务类型",
            FieldKind.CHOICE,
            False,
            choices=("初次办理", "证书更新", "信息变更"),
            inferred=True,
        ),
    ),
    aliases=("医院影像报告审核医师列表", "人员证书申请表", "申请明细表", "数字证书申请表"),
)
SAMPLE: Final = Form(
    "sample",
    4,
    "个人电子印章采样表",
    (
        Field("name", "姓名", most=32),
        Field("idNumber", "身份证号", FieldKind.ID_NUMBER),
        Field("department", "科室"),
        Field("picture1", "电子签章图形采样（一）", FieldKind.PICTURE, most=80),
        Field("picture2", "电子签章图形采样（二）", FieldKind.PICTURE, most=80),
    ),
    rules=(
        "姓名、身份证号、科室用正楷填写",
        "手写签名或个人名章任选其一；笔尖不小于 0.5 毫米，笔画粗细匀称，不要过长",
        "采样区保持干净，签名或名章在空白区内",
        "采样两次，尽量清晰完整",
        "表格保持平整",
        "字迹清楚、颜色深；名章印油充足（自动上墨的除外），用力按压，清楚、完整、不变形",
    ),
    aliases=("个人签名采样表", "个人电子签章采样表"),
)
FORMS: Final = {form.id: form for form in (ACCESS, DOCTOR, SAMPLE, UNIT, STAMP)}
