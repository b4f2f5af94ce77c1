"""Every one of the twenty complaints has an answer, a state, and tests that exist."""

import re

from support.pages import ROOT, page

ROWS = [row for table in page("docs/complaints.md").tables() for row in table if "complaint" in row]
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
MISSING = re.compile(r"\b(missing|not measured yet|still)\b")


def test_there_are_twenty_and_each_is_answered_in_words() -> None:
    assert [row["no."] for row in ROWS] == [str(number) for number in range(1, 21)]
    assert [row["no."] for row in ROWS if len(row["complaint"]) < 20 or len(row["answer"]) < 20] == []


def test_every_answer_is_shown_by_tests_that_exist() -> None:
    gone = []
    for row in ROWS:
        named = NODE.findall(row["shown by"])
        if not named or len(named) != row["shown by"].count("::"):
            gone.append(f"{row['no.']}: {row['shown by']}")
        for path, name in named:
            file = ROOT / path
            if not (file.exists() and re.search(rf"^\s*(?:async )?def {name}\(", file.read_text("utf-8"), re.M)):
                gone.append(f"{row['no.']}: {path}::{name}")
    assert gone == []


def test_what_is_answered_in_part_says_what_is_missing() -> None:
    assert {row["state"] for row in ROWS} <= {"answered", "in part"}
    assert [row["no."] for row in ROWS if (row["state"] == "in part") != bool(MISSING.search(row["answer"]))] == []
