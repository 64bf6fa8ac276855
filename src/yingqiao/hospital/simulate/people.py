"""Fictitious patients and doctors. ID numbers have valid check digits but an unassigned area, so they are
nobody's."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

AREA = "149900"
"""No division of GB/T 2260: a real resident's number cannot begin so."""
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SURNAMES = _words(
    "王Wang 李Li 张Zhang 刘Liu 陈Chen 杨Yang 赵Zhao 黄Huang 周Zhou 吴Wu 郭Guo 武Wu 郝Hao 任Ren 薛Xue 侯Hou "
    "欧阳Ouyang 乔Qiao 段Duan 贾Jia 阎Yan 卫Wei 呼延Huyan"
)
_MALE = _words(
    "建国Jianguo 志强Zhiqiang 小东Xiaodong 伟Wei 俊杰Junjie 浩然Haoran 永福Yongfu 子轩Zixuan 明Ming"
)
_FEMALE = _words("秀英Xiuying 丽Li 桂兰Guilan 雨桐Yutong 静Jing 淑珍Shuzhen 欣怡Xinyi 晓燕Xiaoyan 敏Min")
_RARE = _words("昞Bing 誠Cheng 喆Zhe 䶮Yan 㛃Jie 𬱖Wei 琝Min 焅Ku 玥彧Yueyu")
"""Beyond GB 2312; 昞 琝 焅 誠 end in byte 5C in GB18030, 䶮 㛃 𬱖 take four bytes."""
_STREETS = _words("迎泽大街 五一路 平阳路 长风街 学府街 府东街 滨河西路")


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    spelling: str
    """Pinyin as DICOM writes names: `Wang^Jianguo`."""
    name_parts: str
    """`王^建国`."""
    sex: str
    """GB/T 2261.1: 1 male, 2 female."""
    birthday: date
    id_number: str
    phone: str
    address: str

    def age_on(self, day: date) -> tuple[int, str]:
        """实足年龄 and its unit (T30): years, below one year months, below one month days."""
        years = (
            day.year - self.birthday.year - ((day.month, day.day) < (self.birthday.month, self.birthday.day))
        )
        if years:
            return years, "Y"
        days = (day - self.birthday).days
        return (days // 30, "M") if days >= 30 else (days, "D")


def check_digit(first17: str) -> str:
    """GB 11643: ISO 7064 MOD 11-2 over 17 digits."""
    total = sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True))
    return _CHECK[total % 11]


_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def credit_code(first17: str) -> str:
    """A 统一社会信用代码 with its check character (GB 32100)."""
    total = sum(_CREDIT_ALPHABET.index(char) * pow(3, at, 31) for at, char in enumerate(first17))
    return first17 + _CREDIT_ALPHABET[-total % 31]


def make_person(rng: random.Random, today: date, *, rare: bool = False) -> Person:
    """A patient of any age, a third of them old; `rare` gives a name beyond GB 2312."""
    sex = rng.choice("12")
    days = rng.choice((rng.randint(1, 700), rng.randint(5_000, 20_000), rng.randint(18_000, 32_000)))
    birthday = today - timedelta(days=days)
    surname, surname_spelling = _split(rng.choice(_SURNAMES))
    given, given_spelling = _split(rng.choice(_RARE if rare else _MALE if sex == "1" else _FEMALE))
    order = rng.randrange(0, 998, 2) + int(sex == "1")
    body = f"{AREA}{birthday:%Y%m%d}{order:03d}"
    return Person(
        name=surname + given,
        spelling=f"{surname_spelling}^{given_spelling}",
        name_parts=f"{surname}^{given}",
        sex=sex,
        birthday=birthday,
        id_number=body + check_digit(body),
        phone=f"199{rng.randrange(10**8):08d}",
        address=f"山西省太原市{rng.choice(_STREETS)}{rng.randint(1, 300)}号",
    )


def _split(text: str) -> tuple[str, str]:
    """`王Wang` -> ("王", "Wang")."""
    at = next(index for index, char in enumerate(text) if char.isascii())
    return text[:at], text[at:]
