"""JSON of others: whatever it holds, it is read within limits, or said to be none; and every value can be written."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_app.contract.models import TrailModel
from tui_app.domain.canonical import digest
from tui_app.domain.foreign_json import DEEPER, DEEPEST, LONGEST, details, dump, parse, shown
from tui_app.service.answers import encode

DIGITS = "7" * 5_000
ODD = {
    "digits": DIGITS,
    "negative digits": f"-{DIGITS}",
    "beyond 64 bits": str(2**63),
    "exponent": "1e999999",
    "not a number": "NaN",
    "infinity": "-Infinity",
    "half a character": '"\\ud800"',
    "half a character as a name": '{"\\udfff": 1}',
    "levels of lists": "[" * 3_000 + "]" * 3_000,
    "levels of objects": '{"a":' * 3_000 + "1" + "}" * 3_000,
    "brackets in a text": '["' + "[" * 3_000 + '"]',
    "a long text": '"' + "x" * 1_000_000 + '"',
    "NUL": '"\\u0000"',
}
TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.booleans().map(lambda _: 10**5_000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def holds(reader, text):
    """What a reader owes: a value that the wire, a hash, a screen and a file can hold; or ``ValueError``."""
    try:
        value = reader(text)
    except ValueError:
        return None
    written = dump(value, indent=2)
    written.encode()
    assert json.loads(written) == value
    assert len(digest(value)) == 64
    entry = TrailModel(at="", event="X", actor=None, details=details(value))
    json.loads(encode(entry))
    return value


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
@pytest.mark.parametrize("form", ['{"before": 1, "odd": %s, "after": [2]}', "%s"], ids=["inside", "alone"])
def test_what_is_odd_takes_nothing_with_it(text, form):
    whole = form % text
    value = holds(parse, whole)
    assert value is not None
    if form != "%s":
        assert (value["before"], value["after"]) == (1, [2])
    holds(shown, whole.encode())


def test_what_is_beyond_the_limits_shows_what_it_was():
    assert parse(DIGITS).startswith("7777")
    assert parse(DIGITS).endswith("(5,000 digits)")
    assert (parse("NaN"), parse('"\\ud800"')) == ("NaN", "\\ud800")
    assert parse('"\\ud83d\\ude00"', strict=True) == "\U0001f600"
    value, levels = parse(ODD["levels of lists"]), 0
    while isinstance(value, list):
        [value], levels = value, levels + 1
    assert (value, levels) == (DEEPER, DEEPEST)


@pytest.mark.parametrize("text", ['{"a": ', "", "[1,]", "\ufeff", b"\xff", "[" * 100_000, "[" * 70 + "}" * 5])
def test_what_is_no_json_is_said_to_be_none_and_shown_as_it_is(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever says so
        parse(text)
    assert isinstance(shown(text), str)


@pytest.mark.parametrize("name", ["digits", "exponent", "not a number", "half a character", "levels of lists"])
def test_a_strict_reader_refuses_what_is_beyond_the_limits(name):
    with pytest.raises(ValueError, match="JSON"):
        parse(ODD[name], strict=True)


def test_a_long_text_is_shown_as_it_begins():
    told = shown(ODD["a long text"])
    assert len(told) == LONGEST + 1
    assert told.endswith("x…")


@settings(max_examples=300)
@given(VALUES)
def test_every_value_can_be_written_and_read(value):
    written = dump(value)
    written.encode()
    holds(parse, written)
    plain = dump(value, ascii_only=True)
    assert plain.isascii()
    holds(parse, plain)


@settings(max_examples=300)
@given(st.text(st.sampled_from('[]{}",:0123456789eE.-\\ u d8NaInfity truefalsn'), max_size=60) | st.binary(max_size=40))
def test_any_text_is_read_or_said_to_be_none(text):
    holds(parse, text)
    shown(text)


@pytest.mark.parametrize("name", ["digits", "levels of lists", "not a number", "half a character"])
def test_a_reader_without_limits_is_found(name):
    with pytest.raises((AssertionError, RecursionError, ValueError)):
        assert holds(json.loads, ODD[name]) is not None
    assert holds(parse, ODD[name]) is not None


def test_what_is_no_value_of_json_is_written_too():
    assert json.loads(dump({"a": {1, 2}, "b": math.inf})) == {"a": "(no value of JSON)", "b": "inf"}
