"""Reports: a spreadsheet does not calculate them, a ticket does not render them, a script reads them back."""

import csv
import io
import json

import pytest

from tui_app.domain.errors import UsageProblem
from tui_app.domain.report import Foot, Format, defused, escaped, ledger_export, run_report

RUN = {
    "id": "r1",
    "plan": "p1",
    "plan_hash": "ab" * 32,
    "verb": "cancel",
    "undo": None,
    "state": "finished",
    "operator": "jane@example.com",
    "reason": "=HYPERLINK(1)|x",
    "created_at": "2026-01-02T03:04:05Z",
    "ended_at": None,
    "items": 2,
    "counts": {"cancelled": 1, "already_cancelled": 0, "refused": 1, "skipped": 0, "unknown": 0, "pending": 0},
    "verified": {"yes": 1, "contradicted": 0, "not_known": 0, "pending": 0},
}
ITEM = {"position": 0, "system": "commands", "id": "pay/a", "state": "refused", "message": "a|b\nc", "ours": None}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\x00=1"])
def test_what_a_spreadsheet_would_calculate_is_text(text):
    assert defused(text).startswith("'")


@pytest.mark.parametrize("text", ["plain", "a=b", "", "1-2", "[@click=app.quit]x[/]"])
def test_everything_else_stays_as_it_is(text):
    assert defused(text) == text


def test_no_cell_holds_what_a_terminal_obeys():
    assert not set(defused("a\x1b]52;c;eA==\x07\u202e")) & {"\x1b", "\x07", "\u202e"}
    assert defused(None) == ""
    assert defused({"a": [1]}) == '{"a":[1]}'


@pytest.mark.parametrize("text", ["<script>", "[x](http://y)", "a|b", "# title", "*b*", "`c`", "![x](y)"])
def test_markdown_shows_and_does_not_render(text):
    marked = escaped(text)
    assert marked.replace("\\", "") == text
    assert all(marked[at - 1] == "\\" for at, one in enumerate(marked) if one in "<>[]|#*`!")


FOOT = Foot("OK: ledger verified", holds=True, head="9:ff", anchors=2)


def written(report, *items, foot=FOOT):
    return report.head() + "".join(report.row(one) for one in items) + report.foot(foot)


def test_a_csv_of_a_run_is_read_back():
    names, row, *foot = csv.reader(io.StringIO(written(run_report(Format.CSV, RUN, RUN["state"]), ITEM)))
    read = dict(zip(names, row, strict=True))
    assert (read["id"], read["state"], read["message"], read["ours"]) == ("pay/a", "refused", "a|b\\nc", "")
    assert foot == [["ledger", "OK: ledger verified"], ["anchors", "2"], ["head", "9:ff"]]


def test_a_jsonl_of_a_run_is_read_back():
    head, row, foot = map(json.loads, written(run_report(Format.JSONL, RUN, RUN["state"]), ITEM).splitlines())
    assert (head["schema"], head["run"]["reason"], row, foot) == (
        "quash.report.v1",
        RUN["reason"],
        ITEM,
        {"head": "9:ff", "holds": True, "ledger": "OK: ledger verified", "anchors": 2},
    )


def test_a_markdown_of_a_run_has_its_facts_and_one_row_an_item():
    text = written(run_report(Format.MARKDOWN, RUN, RUN["state"]), ITEM)
    assert "- reason: =HYPERLINK(1)\\|x" in text
    assert "- cancelled: 1" in text
    assert "| commands | pay/a | refused |  | a\\|b\\\\nc |" in text
    assert text.endswith("\nOK: ledger verified\n\nAnchors compared: 2\n\nHead of the ledger: 9:ff\n")
    assert "ended" not in text


@pytest.mark.parametrize("form", list(Format))
def test_a_ledger_that_does_not_verify_says_so_at_its_foot(form):
    foot = Foot("LEDGER BROKEN: entry 2: its hash differs", holds=False, head=None, anchors=0)
    text = written(ledger_export(form, {"run": "r1"}), {"seq": 1}, foot=foot)
    assert any("LEDGER BROKEN: entry 2: its hash differs" in line for line in text.splitlines()[-4:])


def test_the_ending_decides_how_it_is_written():
    assert [Format.of(f"a.{ending}") for ending in ("md", "JSONL", "csv")] == list(Format)
    for name in ("report", "report.txt", ""):
        with pytest.raises(UsageProblem, match="endings"):
            Format.of(name)
