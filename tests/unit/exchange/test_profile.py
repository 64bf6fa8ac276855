"""Profiles are data."""

from pathlib import Path

import pytest

from yingqiao.exchange.model import Level
from yingqiao.exchange.profile import RULES, Profile, ProfileError


@pytest.mark.parametrize("text", ["", "{}", b"{}", " "])
def test_the_default_profile(text: str):
    assert Profile.from_json(text) == Profile()
    assert Profile().to_json() == "{}"


def test_a_profile_travels_as_json():
    profile = Profile(
        grades={"length": Level.NOTE, "exam.sex:code_list": None},
        ca_required=True,
        group=frozenset({"B", "A"}),
        window_seconds=60,
        window="refuse",
    )
    assert Profile.from_json(profile.to_json()) == profile
    assert hash(Profile.from_json(profile.to_json())) == hash(profile)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "JSON"),
        ("[]", "对象"),
        ('{"colour": 1}', "colour"),
        ('{"grades": []}', "grades"),
        ('{"grades": {"length": "loud"}}', "length"),
        ('{"grades": {"length": []}}', "length"),
        ('{"grades": {"lenght": "warn"}}', "lenght"),
        ('{"grades": {"exam.sex:lenght": "warn"}}', "lenght"),
        ('{"grades": {"key": "warn"}}', "key"),
        ('{"ca_required": 1}', "ca_required"),
        ('{"group": "A"}', "group"),
        ('{"window_seconds": -1}', "window_seconds"),
        ('{"window_seconds": true}', "window_seconds"),
        ('{"window": "maybe"}', "window"),
    ],
)
def test_a_wrong_profile_is_told(text: str, word: str):
    with pytest.raises(ProfileError, match=word):
        Profile.from_json(text)


def test_the_most_specific_grade_wins():
    profile = Profile(grades={"length": Level.NOTE, "exam:length": Level.WARN, "exam.patName": Level.REFUSE})
    assert profile.grade("report", "xno", "length") is Level.NOTE
    assert profile.grade("exam", "idCard", "length") is Level.WARN
    assert profile.grade("exam", "patName", "length") is Level.REFUSE
    assert profile.grade("exam", "mtuRecMark", "length") is Level.WARN
    assert Profile().grade("exam", "mtuRecMark", "length") is None


def test_every_rule_is_documented_with_its_default():
    page = (Path(__file__).parents[3] / "docs/reference/profile.md").read_text("utf-8")
    for rule, grade in RULES.items():
        assert f"| `{rule}` | {'off' if grade is None else grade.value} |" in page
    example = page.split("```json")[1].split("```")[0]
    assert Profile.from_json(example).ca_required
