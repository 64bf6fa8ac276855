"""Trains the zstd dictionary of the submissions' bodies from synthetic records of an edition.

    .venv/bin/python scripts/train_dictionary.py OUT.zdict

The same seed and zstd give the same dictionary. A shipped dictionary is never replaced: frames name it.
Add the new
one to store/dictionaries under the next number and point `compression.CURRENT` at it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import zstandard

from yingqiao.spec.load import load_edition
from yingqiao.spec.model import Edition, Field

SIZE = 64 * 1024
RECORDS = 3000
SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
)
GIVEN = "伟芳娜敏静秀英丽强磊军洋勇艳杰娟涛明超兰霞平刚桂玉红梅建国华志文晓东海燕春雪鹏飞辉宇浩然子轩梓涵"
PARTS = [
    "胸部",
    "头颅",
    "上腹部",
    "下腹部",
    "盆腔",
    "腰椎",
    "颈椎",
    "膝关节",
    "肩关节",
    "冠状动脉",
    "甲状腺",
    "乳腺",
    "双肾",
]
HOW = [
    "CT平扫",
    "CT平扫+增强",
    "MR平扫",
    "MR平扫+增强",
    "DR正侧位",
    "彩色多普勒超声",
    "CTA",
    "MRA",
    "X线摄影",
]
DEPARTMENTS = [
    "放射科",
    "影像科",
    "超声科",
    "呼吸内科",
    "急诊科",
    "骨科",
    "神经内科",
    "普外科",
    "肿瘤科",
    "体检中心",
    "心内科",
]
FINDINGS = [
    "双肺纹理清晰，走行自然，肺实质未见明显异常密度影。",
    "气管及主要支气管通畅，纵隔内未见肿大淋巴结，心影大小形态正常。",
    "双侧胸腔未见积液，胸膜未见增厚。",
    "右肺上叶见磨玻璃结节，直径约{n}mm，边界清楚。",
    "左肺下叶见斑片状高密度影，边缘模糊，考虑炎症。",
    "肝脏大小、形态正常，肝实质密度均匀，肝内外胆管未见扩张。",
    "脑实质内未见明显异常密度影，脑室系统未见扩张，中线结构居中。",
    "腰椎生理曲度变直，L{n}/5椎间盘向后突出，硬膜囊受压。",
    "甲状腺双侧叶大小正常，内见低回声结节，大小约{n}mm×{n}mm，TI-RADS 3类。",
    "子宫前位，大小正常，肌层回声均匀。双侧附件区未见明显异常。",
    "膝关节诸骨骨质结构完整，关节间隙未见狭窄，半月板未见撕裂。",
]
OPINIONS = [
    "双肺未见明显异常。",
    "右肺上叶磨玻璃结节，建议{n}个月后复查。",
    "左肺下叶炎症，请结合临床。",
    "腰椎间盘突出。",
    "颅脑CT平扫未见明显异常。",
    "肝囊肿。",
    "甲状腺结节，建议随访。",
]
ADDRESSES = [
    "太原市小店区",
    "太原市迎泽区",
    "大同市平城区",
    "长治市潞州区",
    "临汾市尧都区",
    "运城市盐湖区",
    "晋中市榆次区",
]


class Maker:
    """Values that look like a hospital's."""

    def __init__(self, edition: Edition, seed: int) -> None:
        self.edition = edition
        self.random = random.Random(seed)

    def record(self, table: str, depth: int = 0) -> dict[str, object]:
        """A record of a table with most of its fields."""
        keep = self.random.uniform(0.5, 1.0)
        fields = self.edition.tables[table].fields
        return {
            f.name: self.value(f, depth) for f in fields if self.random.random() < keep or f.required == "yes"
        }

    def value(self, field: Field, depth: int) -> object:
        if field.items and field.items in self.edition.tables and depth < 2:
            return [self.record(field.items, depth + 1) for _ in range(self.random.randint(1, 3))]
        text = self.text(field)
        if field.type == "integer":
            return int(text) if text.isdigit() else self.random.randint(0, 3)
        return text

    def text(self, field: Field) -> str:
        codes = self.edition.code_lists.get(field.code_list)
        if codes is not None and codes.codes:
            return self.random.choice(list(codes.codes))
        name, label, number = field.name.lower(), field.label, self.random
        if "time" in name or "date" in name or "birthday" in name or "日期" in label or "时间" in label:
            return self.moment(field)
        for words, make in self.makers():
            if any(word in label for word in words):
                return make()
        return str(number.randint(1, 10 ** number.randint(1, 9)))

    def makers(self) -> list[tuple[tuple[str, ...], Callable[[], str]]]:
        n = self.random
        return [
            (("所见", "描述"), lambda: self.prose(FINDINGS, n.randint(2, 6))),
            (("诊断", "结论", "印象", "意见"), lambda: self.prose(OPINIONS, n.randint(1, 3))),
            (
                ("地址",),
                lambda: f"山西省{n.choice(ADDRESSES)}{n.choice('长风迎泽建设学府')}街{n.randint(1, 300)}号",
            ),
            (("名称", "项目", "部位"), lambda: n.choice(PARTS) + n.choice(HOW)),
            (("科室",), lambda: n.choice(DEPARTMENTS)),
            (("姓名", "医生", "医师", "技师", "护士"), self.person),
            (("手机", "电话"), lambda: f"1{n.choice('3578')}{n.randint(0, 10**9 - 1):09d}"),
            (
                ("证件号", "身份证"),
                lambda: (
                    f"1401{n.randint(1, 81):02d}{n.randint(1940, 2020)}{n.randint(101, 1231):04d}"
                    f"{n.randint(0, 9999):04d}"
                ),
            ),
            (
                ("唯一标识", "唯一号"),
                lambda: (
                    f"1.2.840.113619.2.{n.randint(1, 500)}.{n.randint(10**9, 10**12)}.{n.randint(1, 999)}"
                ),
            ),
            (
                ("签名", "证书"),
                lambda: "".join(n.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789+/", k=64)) + "==",
            ),
            (("单位", "机构", "医院"), lambda: f"山西省{n.choice('第一二三四')}人民医院"),
        ]

    def prose(self, sentences: list[str], count: int) -> str:
        return "".join(
            self.random.choice(sentences).format(n=self.random.randint(2, 12)) for _ in range(count)
        )

    def person(self) -> str:
        return self.random.choice(SURNAMES) + "".join(self.random.choices(GIVEN, k=self.random.randint(1, 2)))

    def moment(self, field: Field) -> str:
        n = self.random
        day = f"20{n.randint(24, 27)}-{n.randint(1, 12):02d}-{n.randint(1, 28):02d}"
        if field.format == "date" or "birthday" in field.name.lower():
            return day
        return f"{day} {n.randint(7, 18):02d}:{n.randint(0, 59):02d}:{n.randint(0, 59):02d}"


def bodies(edition: Edition, count: int, seed: int = 1) -> list[bytes]:
    """Bodies as the gateway keeps them: exams, reports and, some, merged uploads."""
    maker = Maker(edition, seed)
    made: list[bytes] = []
    for number in range(count):
        table = ("exam", "report", "exam", "report", "merged_upload")[number % 5]
        made.append(orjson.dumps(maker.record(table)))
    return made


def main(out: Path) -> None:
    samples = bodies(load_edition(), RECORDS)
    dictionary = zstandard.train_dictionary(SIZE, samples, level=3)
    out.write_bytes(dictionary.as_bytes())
    probe = bodies(load_edition(), 200, seed=2)
    squeezed = zstandard.ZstdCompressor(level=3, dict_data=dictionary)
    ratio = sum(map(len, probe)) / sum(len(squeezed.compress(body)) for body in probe)
    report = f"id {dictionary.dict_id()}, {len(dictionary.as_bytes())} bytes"
    sys.stdout.write(f"{out}: {report}; unseen records become {ratio:.2f} times smaller\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
