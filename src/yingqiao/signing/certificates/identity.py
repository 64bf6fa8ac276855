"""Who a person is: identity number and mobile number, checked before anybody relies on them."""

from __future__ import annotations

import re
from datetime import date

_ID_NUMBER = re.compile(r"[1-9]\d{5}(\d{8})\d{3}[\dX]")
_MOBILE = re.compile(r"1[3-9]\d{9}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


def clean_id_number(text: str) -> str:
    """Without spaces; a final x upper case, as the self-service password demands (四(二)4)."""
    return "".join(text.split()).upper()


def id_number_problem(text: str) -> str:
    """What is wrong with a citizen's identity number (GB 11643: 18 places with a check character); "" when nothing is."""
    found = _ID_NUMBER.fullmatch(text)
    if found is None:
        return "应为 18 位：前 17 位数字，末位数字或大写 X"
    try:
        born = date.fromisoformat(f"{found[1][:4]}-{found[1][4:6]}-{found[1][6:]}")
    except ValueError:
        return "第 7 至 14 位不是日期"
    if not 1900 <= born.year <= 2100:
        return "第 7 至 14 位的出生年份不合理"
    expected = _CHECKS[
        sum(int(digit) * weight for digit, weight in zip(text[:17], _WEIGHTS, strict=True)) % 11
    ]
    return "" if text[17] == expected else "校验位不对，请核对是否抄错"


def mobile_problem(text: str) -> str:
    """What is wrong with a mobile number of the mainland (the login name); "" when nothing is."""
    return "" if _MOBILE.fullmatch(text) else "应为 11 位手机号码"


def first_password(id_number: str) -> str:
    """The last six characters of the identity number, a final X upper case (四(二)4): good for one login."""
    return clean_id_number(id_number)[-6:]


def masked_id_number(text: str) -> str:
    """As lists and forms on a screen show it."""
    return f"{text[:6]}********{text[-4:]}" if len(text) == 18 else "*" * len(text)


def masked_mobile(text: str) -> str:
    return f"{text[:3]}****{text[-4:]}" if len(text) == 11 else "*" * len(text)
