"""Every row of docs/failure-modes.md is whole: it names the test that shows it; broken variants are there."""

import re
from functools import cache

from support.mutants import mutants
from support.pages import page
from support.sizes import ROOT

TABLES = list(page("docs/failure-modes.md").tables())
ROWS = [row for table in TABLES[:-1] for row in table]
VARIANTS = TABLES[-1]
NODE = re.compile(r"tests/[\w/]+\.py::\w+")
COLUMNS = ["kind", "what can happen", "how it is kept from happening", "test"]


@cache
def names_of_tests() -> frozenset[str]:
    """The names of all tests."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)\(", text, re.MULTILINE))


def variants(row: dict[str, str]) -> list[str]:
    return re.findall(r"`([\w-]+)`", row["broken variant"])


def test_every_row_of_the_failure_modes_is_whole() -> None:
    assert [row for row in ROWS if list(row) != COLUMNS or not all(row.values())] == []


def test_every_failure_mode_names_the_test_that_shows_it() -> None:
    assert [row["kind"] for row in ROWS if not NODE.search(row["test"])] == []


def test_every_failure_mode_names_a_broken_variant() -> None:
    """Or says why none would mean anything."""
    named = {row["kind"] for row in VARIANTS if variants(row) or row["broken variant"].startswith("none, since ")}
    missing = [row["kind"] for row in ROWS if row["kind"] not in named]
    assert missing == [], 'rows without a line under "Broken variants", at the end of docs/failure-modes.md'
    assert [row["kind"] for row in VARIANTS if row["kind"] not in {each["kind"] for each in ROWS}] == []


def test_every_broken_variant_that_is_named_is_there() -> None:
    there = names_of_tests() | {one.name for one in mutants()}
    named = {row["kind"]: variants(row) for row in VARIANTS}
    assert {kind: names for kind, names in named.items() if {*names} - there} == {}


def test_every_mutant_belongs_to_a_kind() -> None:
    named = {name for row in VARIANTS for name in variants(row)}
    assert [one.name for one in mutants() if one.name not in named] == []


def test_no_kind_of_failure_is_listed_twice() -> None:
    kinds = [row["kind"] for row in ROWS]
    assert sorted(set(kinds)) == sorted(kinds)
