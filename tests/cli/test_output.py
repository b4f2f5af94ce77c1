"""What is printed: aligned, and never obeyed."""

import io
import json
import sys

import pytest

from tui_app.cli import plain
from tui_app.cli.output import Output, Talk
from tui_app.cli.table import Column
from tui_app.domain.errors import Conflict

COLUMNS = [Column("id", "Id"), Column("n", "Number"), Column("ok", "Fine")]


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_columns_are_aligned_by_what_a_terminal_draws(capsys):
    rows = [{"id": "日本", "n": 12345, "ok": True}, {"id": "e\u0301", "n": None, "ok": False}, {"id": "abcd"}]
    Output("table").rows("s", "rows", rows, COLUMNS)
    assert capsys.readouterr().out.splitlines() == [
        "Id    Number  Fine",
        "日本  12,345  yes",
        "e\u0301     –       no",
        "abcd  –       –",
    ]


def test_a_cell_is_cut_where_its_column_says(capsys):
    Output("table").rows("s", "rows", [{"id": "x" * 99}], [Column("id", "Id", 10)])
    assert capsys.readouterr().out.splitlines()[1] == "x" * 9 + "…"


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_lone_surrogates_and_controls_stay_json(capsys, form):
    Output(form).rows("s", "rows", [{"id": "\ud800\x1b\u2028"}], COLUMNS)
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\\ud800\\u001b\\u2028" in out


def test_one_thing_as_a_row(capsys):
    Output("csv").one("s", {"thing": {"a": "@cmd", "b": -1, "c": None, "d": [1]}}, lambda: ())
    assert capsys.readouterr().out == "a,b,c,d\n'@cmd,'-1,,[1]\n"


async def pieces():
    for number in range(2):
        yield {"id": str(number)}


async def test_rows_can_come_one_by_one(capsys):
    for form in ("json", "jsonl", "csv", "table"):
        await Output(form).stream("s", "rows", pieces(), COLUMNS[:1])
    assert capsys.readouterr().out.splitlines() == [
        '{"schema":"s","rows":[{"id":"0"},{"id":"1"}]}', '{"id":"0"}', '{"id":"1"}', "id", "0", "1", "Id", "0", "1",
    ]  # fmt: skip


def test_progress_is_drawn_on_a_terminal_and_wiped(capsys):
    screen, pipe = Screen(), io.StringIO()
    for form, stream in (("table", screen), ("table", pipe), ("json", Screen())):
        talk = Talk(form, stream)
        talk.progress("reading: \x1b[2J 1 of 2")
        talk.tell("done")
    assert screen.getvalue() == "\r\x1b[Kreading: \\x1b[2J 1 of 2\r\x1b[Kdone\n"
    assert pipe.getvalue() == "done\n"


def test_a_script_that_reads_json_gets_errors_and_what_it_has_to_learn():
    stream = io.StringIO()
    talk = Talk("json", stream)
    talk.say("by the way")
    talk.tell("a run goes on")
    talk.error(Conflict("no\x1b", hint="do", run="r1"))
    notice, error = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert notice == {"schema": "quash.notice.v1", "message": "a run goes on"}
    assert error == {
        "schema": "quash.error.v1",
        "code": "CONFLICT",
        "message": "no\x1b",
        "hint": "do",
        "details": {"run": "r1"},
    }
    assert stream.getvalue().isascii()


def test_a_terminal_without_utf8_gets_ascii_and_a_file_what_it_is(monkeypatch):
    monkeypatch.setattr(plain, "speaks_utf8", lambda: False)
    for stream, row, said in [
        (Screen(), "\\u65e5  -       -", "1 done | 2 left ~ caf\\xe9\n"),
        (io.StringIO(), "日  –       –", "1 done · 2 left … café\n"),
    ]:
        monkeypatch.setattr(sys, "stdout", stream)
        Output("table").rows("s", "rows", [{"id": "日"}], COLUMNS)
        assert stream.getvalue().splitlines()[1].split() == row.split()
        Talk("table", stream).say("1 done · 2 left … café")
        assert stream.getvalue().endswith(said)


def test_what_is_said_to_a_person_is_visible():
    stream = io.StringIO()
    Talk("table", stream).error(Conflict("no\x1b[2J\u202e", hint="do\x07"))
    assert stream.getvalue() == "quash: no\\x1b[2J\\u202e\n       do\\x07\n"
