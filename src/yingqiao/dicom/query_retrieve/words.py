"""What association answers and statuses mean, in the words of the hospital's engineer: whose side, what to
check.
"""

from __future__ import annotations

REJECTIONS = {
    (1, 1): "对方拒绝关联，没有给出原因。请对方查看 PACS 日志",
    (1, 2): "对方不支持 DICOM 应用上下文：该端口可能不是 DICOM 服务。请核对端口",
    (1, 3): "对方不认识我方 AE 标题。请在 PACS 中登记我方的 AE 标题与 IP 地址",
    (1, 7): "对方不认识被叫 AE 标题。请核对登记的对方 AE 标题（区分大小写）",
    (2, 1): "对方协议层拒绝，没有给出原因。请对方查看 PACS 日志",
    (2, 2): "对方不支持此协议版本",
    (3, 0): "对方暂时拒绝，没有给出原因。稍后重试",
    (3, 1): "对方暂时拥塞。稍后重试；若经常如此，请减少同时关联数",
    (3, 2): "对方同时关联数已满。稍后重试；请减少同时关联数，或请对方放宽上限",
}
"""By (source, reason) of PS3.8 table 9-21."""

ABORTS = {
    0: "对方没有给出原因",
    1: "对方不认识我方发出的 PDU",
    2: "对方认为我方的 PDU 来得不是时候",
    4: "对方不认识 PDU 中的参数",
    5: "对方没有料到 PDU 中的参数",
    6: "对方认为 PDU 中的参数值不合法",
}
"""By reason of PS3.8 table 9-26, source 2."""

CONTEXT_RESULTS = {
    1: "对方用户拒绝",
    2: "对方没有给出原因",
    3: "对方不支持此服务",
    4: "对方不支持所提的传输语法",
}
"""By result of PS3.8 table 9-18."""

SERVICES = {
    "1.2.840.10008.1.1": "验证（C-ECHO）",
    "1.2.840.10008.5.1.4.1.2.1.1": "患者级查询（C-FIND）",
    "1.2.840.10008.5.1.4.1.2.1.2": "患者级调取（C-MOVE）",
    "1.2.840.10008.5.1.4.1.2.1.3": "患者级调取（C-GET）",
    "1.2.840.10008.5.1.4.1.2.2.1": "检查级查询（C-FIND）",
    "1.2.840.10008.5.1.4.1.2.2.2": "检查级调取（C-MOVE）",
    "1.2.840.10008.5.1.4.1.2.2.3": "检查级调取（C-GET）",
    "1.2.840.10008.1.20.1": "存储承诺",
}

_STATUSES = {
    0x0110: "对方处理失败（0110）。请对方查看 PACS 日志",
    0x0112: "对方没有此对象（0112）",
    0x0117: "对方认为对象 UID 不合法（0117）",
    0x0118: "对方不支持此 SOP 类（0118）",
    0x0122: "对方不支持此 SOP 类（0122）",
    0x0124: "对方不授权此操作（0124）。请对方放开我方 AE 标题的查询与调取权限",
    0x0210: "对方认为请求重复（0210）",
    0x0211: "对方不支持此操作（0211）",
    0x0212: "对方认为请求参数类型有误（0212）",
    0x0213: "对方资源不足（0213）。稍后重试",
    0xA700: "对方资源不足（A700）。稍后重试",
    0xA701: "对方资源不足，数不出匹配的影像（A701）。稍后重试",
    0xA702: "对方资源不足，发不出影像（A702）。"
    "多半是 PACS 连不上我方接收端口：请核对 PACS 中登记的我方 IP、端口，以及防火墙",
    0xA801: "对方不认识调取目的地（A801）。请在 PACS 中登记我方的 AE 标题、IP 与端口",
    0xA900: "对方认为查询条件与 SOP 类不符（A900）。该 PACS 可能不支持此查询级别或其中的条件",
    0xAA00: "对方没有能发送的影像（AA00）",
    0xAA02: "对方要求分别调取（AA02）",
    0xAA03: "对方不支持此项（AA03）",
    0xAA04: "对方不支持此项（AA04）",
    0xB000: "调取结束，部分影像没有发成（B000）。请查看 PACS 日志；将按序列核对并补取",
    0xB001: "对方的匹配结果可能不全（B001）",
    0xFE00: "操作已取消（FE00）",
}


def status_words(status: int, moving: bool = False) -> str:
    """What a response's status means (PS3.4 C.4, PS3.7 annex C); `moving`: the response to a C-MOVE."""
    known = _STATUSES.get(status)
    if status == 0xA702 and not moving:
        return "对方发不出影像（A702）：多半没有协商到这些影像的 SOP 类或传输语法，或文件已损坏。请对方查看 PACS 日志"
    if known is not None:
        return known
    if 0xC000 <= status <= 0xCFFF and moving:
        return (
            f"对方处理不了调取（{status:04X}）。有的 PACS（如 Orthanc）以此表示不认识调取目的地："
            "请核对 PACS 中登记的我方 AE 标题、IP 与端口"
        )
    if 0xC000 <= status <= 0xCFFF:
        return f"对方处理不了（{status:04X}）。请对方查看 PACS 日志"
    if 0xA700 <= status <= 0xA7FF:
        return f"对方资源不足（{status:04X}）。稍后重试"
    if 0xB000 <= status <= 0xBFFF:
        return f"对方带警告完成（{status:04X}）"
    return f"对方返回未知状态（{status:04X}）。请对方查看 PACS 日志"


def service_name(abstract_syntax: str) -> str:
    return SERVICES.get(abstract_syntax, abstract_syntax)
