"""Charset arbitration: what Chinese devices declare against what they write (DICOM PS3.5 6.1.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.dicom.charset import arbitrate
from yingqiao.dicom.iso2022 import codec_of

NAME, PLACE = 0x0010_0010, 0x0008_0080


def _bad_trail(trail: int) -> list[str]:
    found = []
    for lead in range(0x81, 0xFF):
        try:
            char = bytes((lead, trail)).decode("gb18030")
        except UnicodeDecodeError:
            continue
        if len(char) == 1:
            found.append(char)
    return found


BACKSLASHES, CARETS = _bad_trail(0x5C), _bad_trail(0x5E)
WRONG = ["ISO_IR 100", "ISO_IR 192", "", "ISO_IR 6", "ISO_IR 101", "ISO 2022 IR 6", "ISO_IR 148"]


def test_there_are_126_characters_of_each_kind():
    assert (len(BACKSLASHES), len(CARETS)) == (126, 126)
    assert "誠" in BACKSLASHES
    assert "區" in CARETS


@pytest.mark.parametrize("declared", ["GB18030", "GBK", "GB2312", "gb 18030"])
def test_every_bad_trail_byte_survives_when_declared(declared):
    for char in BACKSLASHES + CARETS:
        for name in (char, f"{char}^{char}", f"Wang^Fang=王^{char}", f"{char}\\{char}"):
            result = arbitrate({NAME: name.encode("gb18030")}, declared.encode())
            assert result.values[NAME] == name
            assert result.used == declared
            assert result.oddities == ()


@pytest.mark.parametrize("declared", WRONG)
def test_every_bad_trail_byte_survives_a_lie(declared):
    oddity = "charset-lied" if declared else "charset-missing"
    for char in BACKSLASHES + CARETS:
        for name in (f"王{char}", f"张{char}明", f"欧阳^{char}"):
            result = arbitrate({NAME: name.encode("gb18030")}, declared.encode())
            assert result.values[NAME] == name
            assert (result.declared, result.used) == (declared, "GB18030")
            assert result.oddities == (oddity,)


@pytest.mark.parametrize("declared", [*WRONG, "GB18030", "GBK"])
def test_rare_names_are_carried_by_the_ordinary_words_around_them(declared):
    for name in ("㛃䶮", "𬱖", "玥彧", "囍喆", "䶮"):
        values = {NAME: name, PLACE: "山西省太原市示范医院"}
        result = arbitrate({tag: text.encode("gb18030") for tag, text in values.items()}, declared.encode())
        assert result.values == values


@pytest.mark.parametrize("declared", ["ISO_IR 100", "", "GB18030", "GBK", "ISO_IR 6"])
def test_utf8_under_another_name(declared):
    values = {NAME: "Zhang^San=张^三", PLACE: "第一人民医院"}
    result = arbitrate({tag: text.encode() for tag, text in values.items()}, declared.encode())
    assert result.values == values
    assert result.used == "ISO_IR 192"
    assert result.oddities == ("charset-lied" if declared else "charset-missing",)


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        ("ISO_IR 100", "latin_1", "Äneas^Rüdiger"),
        ("ISO_IR 100", "latin_1", "Buc^Jérôme"),
        ("ISO_IR 100", "latin_1", "Müller^Jörg"),
        ("ISO_IR 100", "latin_1", "Créée^José"),
        ("ISO_IR 101", "iso8859_2", "Wałęsa"),
        ("ISO_IR 148", "iso8859_9", "Çavuşoğlu"),
        ("ISO_IR 144", "iso8859_5", "Люкceмбypг"),
        ("ISO_IR 126", "iso8859_7", "Διονυσιος"),
        ("ISO_IR 127", "iso8859_6", "قباني^لنزار"),
        ("ISO_IR 138", "iso8859_8", "שרון^דבורה"),
        ("ISO_IR 192", "utf_8", "Иванов^Иван"),
        ("ISO_IR 192", "utf_8", "Müller"),
        ("ISO_IR 13", "shift_jis", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        ("GB18030", "gb18030", "王^小东"),
    ],
)
def test_an_honest_declaration_stands(declared, codec, text):
    result = arbitrate({NAME: text.encode(codec)}, declared.encode())
    assert (result.values[NAME], result.used, result.oddities) == (text, declared, ())


@pytest.mark.parametrize("text", ["José", "Müller", "Ängström"])
def test_latin_letters_without_declaration_are_not_taken_for_chinese(text):
    result = arbitrate({NAME: text.encode("latin_1")})
    assert (result.values[NAME], result.used, result.oddities) == (text, "ISO_IR 100", ("charset-missing",))


def test_a_name_valid_in_both_is_judged_by_what_it_reads_as():
    """Two hanzi whose GB18030 bytes happen to be UTF-8 of two alphabets."""
    text = b"\xc4\xb7\xd0\xa1".decode("gb18030")
    assert arbitrate({NAME: text.encode("gb18030")}, b"ISO_IR 192").values[NAME] == text


@pytest.mark.parametrize(("codec", "declared"), [("utf_8", "ISO_IR 192"), ("gb18030", "GB18030")])
def test_a_value_cut_inside_a_character(codec, declared):
    raw = "山西省太原市示范医院".encode(codec)[:-1]
    result = arbitrate({PLACE: raw + b" "}, declared.encode())
    assert result.values[PLACE] == "山西省太原市示范医"
    assert result.oddities == ("charset-truncated",)


def test_two_sets_in_one_dataset():
    raws = {NAME: "张伟".encode("gb18030"), PLACE: "太原市中心医院".encode()}
    result = arbitrate(raws, b"ISO_IR 192")
    assert result.values == {NAME: "张伟", PLACE: "太原市中心医院"}
    assert "charset-mixed" in result.oddities


def test_ascii_needs_no_declaration_and_unknown_terms_are_named():
    assert arbitrate({NAME: b"Li^Si"}).oddities == ()
    assert arbitrate({NAME: b"Li^Si"}, b"KLINGON").oddities == ("charset-unknown",)
    assert arbitrate({NAME: "李四".encode("gbk")}, b"KLINGON").values[NAME] == "李四"


@pytest.mark.parametrize(
    ("declared", "raw", "text"),
    [
        (
            r"\ISO 2022 IR 58",
            b"Wang^XiaoDong=\x1b$)A\xcd\xf5^\x1b$)A\xd0\xa1\xb6\xab",
            "Wang^XiaoDong=王^小东",
        ),
        (
            r"\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (
            r"\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
    ],
)
def test_escape_sequences(declared, raw, text):
    """PS3.5 annexes H, I and K; the Japanese line holds a 5E byte inside a character."""
    result = arbitrate({NAME: raw}, declared.encode())
    assert (result.values[NAME], result.used, result.oddities) == (text, declared, ())
    undeclared = arbitrate({NAME: raw})
    assert (undeclared.values[NAME], undeclared.oddities) == (text, ("charset-missing",))


def test_gbk_under_a_declaration_that_promises_escape_sequences():
    result = arbitrate({NAME: "王小东".encode("gbk")}, rb"\ISO 2022 IR 58")
    assert result.values[NAME] == "王小东"


@pytest.mark.parametrize(
    ("term", "codec"),
    [("ISO_IR 192", "utf_8"), ("ISO-IR 100", "latin_1"), ("iso ir 192", "utf_8"), ("ISO_IR_100", "latin_1"),
     ("ISO 2022 GBK", "gb18030"), ("UTF-8", "utf_8"), ("ISO 2022 58", "gb18030"), ("nonsense", None)],
)  # fmt: skip
def test_terms_as_devices_spell_them(term, codec):
    assert codec_of(term) == codec


_hanzi = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5)
_declared = st.sampled_from(
    [b"", b"ISO_IR 100", b"ISO_IR 192", b"GB18030", b"GBK", rb"\ISO 2022 IR 87", b"x"]
)


@given(st.text(_hanzi, min_size=1, max_size=20))
def test_any_declared_hanzi_round_trip_beside_an_ordinary_word(text):
    """Each set under its own name, with the context any real header has."""
    for codec, declared in (("gb18030", b"GB18030"), ("utf_8", b"ISO_IR 192")):
        raws = {NAME: text.encode(codec), PLACE: "太原市第一人民医院放射科".encode(codec)}
        result = arbitrate(raws, declared)
        assert result.values[NAME] == text
        assert result.oddities == ()


@given(
    st.dictionaries(st.sampled_from([NAME, PLACE, 1]), st.binary(max_size=60)),
    _declared | st.binary(max_size=40),
)
def test_any_bytes_give_an_answer(raws, declared):
    result = arbitrate(raws, declared)
    assert result.values.keys() == raws.keys()
