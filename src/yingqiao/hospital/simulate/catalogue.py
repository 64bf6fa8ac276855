"""What the simulated hospital examines: items with codes of the edition's lists, and what a reader writes
about them."""

from __future__ import annotations

from dataclasses import dataclass

from yingqiao.spec import Edition


@dataclass(frozen=True, slots=True)
class Item:
    modality: str
    """DICOM modality."""
    name: str
    """院内检查项目名称."""
    mutual_code: str
    """互认项目代码, '' outside the catalogue of DR, CT and MR items (T41)."""
    body_code: str
    """CV04.30.002; for ultrasound and nuclear medicine the hospital's own, as the list has none."""
    body_name: str
    body_part: str
    """DICOM Body Part Examined."""
    dep: int
    """report.dep (T39)."""
    series: tuple[tuple[str, int], ...]
    """Description and number of instances of each series."""
    normal: tuple[str, str]
    """Findings and conclusion without pathology."""
    abnormal: tuple[str, str]

    @property
    def imaging_type(self) -> str:
        """影像检查类型代码 (十二, T73)."""
        return {"CT": "2", "MR": "3", "US": "4", "NM": "5"}.get(self.modality, "1")


ITEMS = (
    Item(
        "CT",
        "胸部CT平扫",
        "CT020072506",
        "BW23ZYZZZ",
        "胸部",
        "CHEST",
        2,
        (("定位像 Scout", 1), ("肺窗 Lung 5mm", 8), ("纵隔窗 Mediastinum 5mm", 8)),
        ("两肺纹理清晰，未见异常密度影。纵隔居中，未见肿大淋巴结。", "胸部CT平扫未见明显异常。"),
        ("右肺上叶见磨玻璃结节，大小约 8mm×6mm，边界清。", "右肺上叶磨玻璃结节，建议 3 个月后复查。"),
    ),
    Item(
        "CT",
        "头颅CT平扫",
        "CT010312506",
        "B020ZYZZZ",
        "颅脑",
        "HEAD",
        2,
        (("脑窗 Brain 5mm", 8), ("骨窗 Bone 5mm", 4)),
        ("脑实质密度未见异常，中线结构居中。", "头颅CT平扫未见明显异常。"),
        ("左侧基底节区见高密度影，范围约 22mm×15mm。", "左侧基底节区脑出血，请结合临床。"),
    ),
    Item(
        "CT",
        "肝脏CT增强",
        "CT030012506",
        "BF251YZZZ",
        "肝脏",
        "LIVER",
        2,
        (("平扫", 4), ("动脉期", 6), ("门脉期", 6)),
        ("肝脏形态、大小正常，增强扫描未见异常强化。", "肝脏CT增强未见明显异常。"),
        ("肝右叶见类圆形低密度影，直径约 12mm，边缘结节样强化。", "肝右叶血管瘤可能。"),
    ),
    Item(
        "MR",
        "头颅MRI平扫",
        "MR010132506",
        "B030ZYZZZ",
        "颅脑",
        "BRAIN",
        3,
        (("T1WI", 5), ("T2WI 加权", 5), ("DWI", 5)),
        ("脑实质内未见异常信号，脑室系统未见扩张。", "颅脑MRI平扫未见明显异常。"),
        ("双侧半卵圆中心见点状长 T2 信号。", "双侧半卵圆中心缺血灶。"),
    ),
    Item(
        "MR",
        "腰椎MRI平扫",
        "MR030062506",
        "BR39ZYZZZ",
        "腰椎",
        "LSPINE",
        3,
        (("矢状位 T1", 5), ("矢状位 T2", 5)),
        ("腰椎序列正常，椎间盘未见突出。", "腰椎MRI平扫未见明显异常。"),
        ("L4/5 椎间盘向后突出约 5mm，硬膜囊受压。", "L4/5 椎间盘突出。"),
    ),
    Item(
        "DX",
        "胸部正位",
        "DR020072506",
        "BB04ZZZ21",
        "胸部",
        "CHEST",
        1,
        (("胸部正位 PA", 1),),
        ("双肺野清晰，心影不大，双侧膈面光滑。", "心肺膈未见明显异常。"),
        ("右下肺见片状模糊影。", "右下肺炎症，建议治疗后复查。"),
    ),
    Item(
        "CR",
        "左膝正侧位",
        "DR080302506",
        "BQ08ZZZ00",
        "左膝关节",
        "KNEE",
        1,
        (("左膝正位", 1), ("左膝侧位", 1)),
        ("左膝关节诸骨未见明显骨折征象。", "左膝关节未见明显骨质异常。"),
        ("左膝关节边缘骨质增生，关节间隙变窄。", "左膝关节退行性变。"),
    ),
    Item(
        "MG",
        "双乳轴斜位钼靶",
        "DR020122506",
        "BH02ZZZZG",
        "双侧乳腺",
        "BREAST",
        1,
        (("右乳 MLO", 1), ("左乳 MLO", 1)),
        ("双乳腺体呈散在纤维腺体型，未见肿块。", "双乳 BI-RADS 1 类。"),
        ("左乳外上象限见簇状细小钙化。", "左乳 BI-RADS 4A 类，建议活检。"),
    ),
    Item(
        "US",
        "腹部彩超",
        "",
        "US0000001",
        "腹部",
        "ABDOMEN",
        4,
        (("腹部超声", 3),),
        ("肝胆胰脾双肾未见明显异常回声。", "腹部超声未见明显异常。"),
        ("胆囊内见强回声团，后伴声影。", "胆囊结石。"),
    ),
    Item(
        "NM",
        "全身骨显像",
        "",
        "NM0000001",
        "全身骨骼",
        "WHOLEBODY",
        9,
        (("全身骨显像", 1),),
        ("全身骨骼显像清晰，放射性分布均匀。", "全身骨显像未见明显异常。"),
        ("第 8 胸椎见放射性浓聚。", "第 8 胸椎骨代谢活跃，建议进一步检查。"),
    ),
)


def mutual_name(item: Item, edition: Edition) -> str:
    """互认项目名称 of the edition, '' outside the catalogue. Raises KeyError for a code the edition does not
    have."""
    if not item.mutual_code:
        return ""
    return edition.code_lists["mutual_recognition"].codes[item.mutual_code].name
