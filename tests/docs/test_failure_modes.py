"""Every row of docs/failure-modes.md is whole, and names the test that shows it."""

import re

from support.pages import page

ROWS = [row for table in page("docs/failure-modes.md").tables() for row in table]
NODE = re.compile(r"tests/[\w/]+\.py::\w+")
COLUMNS = ["kind", "what can happen", "how it is kept from happening", "test"]


def test_every_row_of_the_failure_modes_is_whole() -> None:
    assert [row for row in ROWS if list(row) != COLUMNS or not all(row.values())] == []


def test_every_failure_mode_names_the_test_that_shows_it() -> None:
    assert [row["kind"] for row in ROWS if not NODE.search(row["test"])] == []


def test_no_kind_of_failure_is_listed_twice() -> None:
    kinds = [row["kind"] for row in ROWS]
    assert sorted(set(kinds)) == sorted(kinds)
