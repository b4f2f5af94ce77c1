"""Nothing that a terminal obeys, hides or reorders gets through."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_app.domain.visible import CUT, as_written, visible

DANGEROUS = {"Cc", "Cf", "Cs", "Zl", "Zp", "Co"}


def test_every_dangerous_character_becomes_an_escape():
    found = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) in DANGEROUS]
    assert len(found) > 100_000
    assert [hex(ord(one)) for one in found if one in visible(one)] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain — ünïcödé 日本 🙂", "plain — ünïcödé 日本 🙂"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\x9b31m", "\\x9b31m"),
        ("\U000e0041", "\\U000e0041"),
        ("[@click=app.quit]x[/]", "[@click=app.quit]x[/]"),
    ],
)
def test_what_is_shown(text, shown):
    assert visible(text) == shown


def test_ascii_alone_spells_out_what_is_foreign_and_cuts_with_a_tilde():
    assert visible("plain ü日🙂\x1b", plain=True) == "plain \\xfc\\u65e5\\U0001f642\\x1b"
    assert visible("x" * 30, 10, plain=True) == "x" * 9 + "~"
    assert visible("日" * 30, 10, plain=True) == "\\u65e5\\u6~"


@given(st.text(max_size=400), st.integers(min_value=1, max_value=80))
def test_it_is_never_longer_than_its_limit_and_says_where_it_was_cut(text, limit):
    shown = visible(text, limit)
    assert len(shown) <= limit
    assert (shown == visible(text, 10_000)) or shown.endswith(CUT)


def test_a_huge_text_costs_no_more_than_its_limit():
    assert visible("\x1b" * 10_000_000, 10) == "\\x1b\\x1b\\" + CUT


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a text", "a text"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (1_000, "1000"),
        (
            {"order": {"held": False, "by": None}, "names": ["zażółć"]},
            '{"order":{"held":false,"by":null},"names":["zażółć"]}',
        ),
    ],
)
def test_a_value_of_somebodys_json_is_json(value, shown):
    assert as_written(value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("漢\u0301字", "漢\\u0301字"),
        ("か\u3099", "か\\u3099"),
        ("漢\u0301\u0301", "漢\\u0301\\u0301"),
        ("e\u0301", "e\u0301"),
        ("漢e\u0301", "漢e\u0301"),
        ("漢字", "漢字"),
    ],
)
def test_marks_on_wide_characters_are_escapes_and_others_are_drawn(text: str, shown: str):
    assert visible(text) == shown
