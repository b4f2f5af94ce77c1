"""Every row of docs/requirements.md says where it stands, and what it says is shown is shown by a test that exists."""

import re

from support.pages import ROOT, page
from tui_app import bootstrap

ROWS = [row for table in page("docs/requirements.md").tables() for row in table if "requirement" in row]
NODE = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
ID = re.compile(r"(CMD|CASE|SCH)-\d\d")
NOT_DUE = {"CASE": "cases", "SCH": "schedules"}


def test_no_id_is_given_twice_and_none_is_left_out() -> None:
    ids = [row["id"] for row in ROWS]
    assert [one for one in ids if not ID.fullmatch(one)] == []
    assert len(set(ids)) == len(ids)
    for prefix in ("CMD", "CASE", "SCH"):
        numbers = [int(one.partition("-")[2]) for one in ids if one.startswith(f"{prefix}-")]
        assert numbers == list(range(1, len(numbers) + 1)), prefix


def over_http(system: str | None) -> bool:
    """Whether there is an adapter that calls this system over HTTP."""
    return (ROOT / "tui_app" / "systems" / str(system) / "http.py").exists()


def test_every_row_says_where_it_stands() -> None:
    wrong = []
    for row in ROWS:
        system = NOT_DUE.get(row["id"].partition("-")[0])
        not_due = row["state"] == f"not due: arrives with {system}" and system not in bootstrap.names()
        elsewhere = row["state"] == f"not due: arrives with {system} over HTTP" and not over_http(system)
        named = NODE.findall(row["shown by"])
        shown = row["state"] == "shown" and bool(named)
        by_review = row["state"] == "by review" and bool(row["shown by"])
        if not (shown or by_review or ((not_due or elsewhere) and not named)):
            wrong.append(row["id"])
        if not row["requirement"] or not row["section"]:
            wrong.append(row["id"])
    assert wrong == []


def test_every_test_that_is_named_exists() -> None:
    gone = []
    for row in ROWS:
        for path, name in NODE.findall(row["shown by"]):
            file = ROOT / path
            found = file.exists() and (not name or re.search(rf"^\s*(?:async )?def {name}\(", file.read_text(), re.M))
            if not found:
                gone.append(f"{row['id']}: {path}::{name}")
    assert gone == []
