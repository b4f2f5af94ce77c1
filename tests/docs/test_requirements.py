"""Every row of docs/requirements.md says where it stands, and what it says is shown is shown by a test that exists."""

import re

import pytest

from support.pages import ROOT, page

ROWS = [row for table in page("docs/requirements.md").tables() for row in table if "requirement" in row]
NODE = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
ID = re.compile(r"(CMD|CASE|SCH)-\d\d")


def test_no_id_is_given_twice_and_none_is_left_out() -> None:
    ids = [row["id"] for row in ROWS]
    assert [one for one in ids if not ID.fullmatch(one)] == []
    assert len(set(ids)) == len(ids)
    for prefix in ("CMD", "CASE", "SCH"):
        numbers = [int(one.partition("-")[2]) for one in ids if one.startswith(f"{prefix}-")]
        assert numbers == list(range(1, len(numbers) + 1)), prefix


def test_every_row_says_where_it_stands() -> None:
    wrong = [row["id"] for row in ROWS if not stands(row) or not row["requirement"] or not row["section"]]
    assert wrong == []


def stands(row: dict[str, str]) -> bool:
    """Whether a row's state is one, and fits what is named beside it."""
    if row["state"] == "by review":
        return bool(row["shown by"])
    return row["state"] == "shown" and bool(NODE.findall(row["shown by"]))


@pytest.mark.parametrize(
    ("state", "shown_by", "right"),
    [
        ("shown", "`tests/unit/test_ops.py`", True),
        ("shown", "", False),
        ("", "`tests/unit/test_ops.py`", False),
        ("not due", "", False),
        ("by review", "", False),
        ("by review", "a person", True),
    ],
)
def test_what_a_row_may_say(state: str, shown_by: str, right: bool) -> None:
    assert stands({"state": state, "shown by": shown_by}) is right


def test_every_test_that_is_named_exists() -> None:
    gone = []
    for row in ROWS:
        for path, name in NODE.findall(row["shown by"]):
            file = ROOT / path
            found = file.exists() and (not name or re.search(rf"^\s*(?:async )?def {name}\(", file.read_text(), re.M))
            if not found:
                gone.append(f"{row['id']}: {path}::{name}")
    assert gone == []
