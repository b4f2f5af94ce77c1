"""Every row of docs/requirements.md says where it stands, and what it says is shown is shown by a test that exists."""

import re

import pytest

from support.pages import ROOT, page

ROWS = [row for table in page("docs/requirements.md").tables() for row in table if "requirement" in row]
NODE = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
ID = re.compile(r"(CMD|CASE|SCH)-\d\d")
ADAPTERS = {
    ("CASE", "over HTTP"): "tui_app/systems/cases/http.py",
    ("SCH", "on PostgreSQL and RabbitMQ"): "tui_app/systems/schedules/rabbitmq.py",
}
"""What a row may wait for, and the module that ends the waiting."""
STATE = re.compile(r"(?P<kind>shown|by review|not due)(?:(?:; not yet|: arrives) (?P<where>.+))?")


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
    state = STATE.fullmatch(row["state"])
    if state is None:
        return False
    if state["where"] is not None:
        module = ADAPTERS.get((row["id"].partition("-")[0], state["where"]))
        if module is None or (ROOT / module).exists():
            return False
    named = bool(NODE.findall(row["shown by"]))
    if state["kind"] == "by review":
        return bool(row["shown by"]) and state["where"] is None
    return named if state["kind"] == "shown" else not row["shown by"] and state["where"] is not None


@pytest.mark.parametrize(
    ("number", "state", "shown_by", "right"),
    [
        ("CASE-01", "shown", "`tests/unit/test_ops.py`", True),
        ("CASE-01", "shown", "", False),
        ("CASE-01", "", "`tests/unit/test_ops.py`", False),
        ("CASE-01", "not due", "", False),
        ("CASE-01", "not due: arrives over HTTP", "`tests/unit/test_ops.py`", False),
        ("CASE-01", "not due: arrives some day", "", False),
        ("CMD-01", "not due: arrives over HTTP", "", False),
        ("CMD-01", "by review", "", False),
        ("CMD-01", "by review", "a person", True),
        ("SCH-01", "shown; not yet over HTTP", "`tests/unit/test_ops.py`", False),
    ],
)
def test_a_state_that_says_nothing_is_found(number: str, state: str, shown_by: str, right: bool) -> None:
    assert stands({"id": number, "state": state, "shown by": shown_by}) is right


def test_every_test_that_is_named_exists() -> None:
    gone = []
    for row in ROWS:
        for path, name in NODE.findall(row["shown by"]):
            file = ROOT / path
            found = file.exists() and (not name or re.search(rf"^\s*(?:async )?def {name}\(", file.read_text(), re.M))
            if not found:
                gone.append(f"{row['id']}: {path}::{name}")
    assert gone == []
