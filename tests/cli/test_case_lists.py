"""Lists of cases that are longer than a page of their server."""

from collections.abc import Callable, Mapping
from typing import Any

from support.answering import answering
from support.command_line import Quash
from tui_app.cli.exits import Exit


def _listed(path: str, *, limited: bool) -> tuple[int, Mapping[str, str], Any]:
    """A list of 250 cases, of which a page holds 100; where it is limited, the first page alone is given."""
    begin = int(path.partition("cursor=")[2].partition("&")[0] or 0)
    if limited and begin:
        return 429, {"Retry-After": "60"}, {}
    rows = [{"case_id": f"CASE-{n}", "status": "in_progress"} for n in range(begin, min(begin + 100, 250))]
    told = {"filter": "", "total": 250, "total_exact": True, "next_cursor": str(begin + 100) if begin < 150 else None}
    return 200, {}, {"cases": rows, "pagination": {**told, "as_of": "2026-01-02T03:04:05Z"}}


def test_a_list_goes_on_until_as_many_as_were_asked_for(quash: Quash, hospital: Callable[[str], None]) -> None:
    with answering(lambda path: _listed(path, limited=False)) as url:
        hospital(url)
        found = quash("list", "cases", "--limit", 250, "--output", "jsonl")
        rows = [one["id"] for one in found.lines]
        assert rows == [f"CASE-{n}" for n in range(250)]
        assert found.err == ""
        assert quash("list", "cases", "--limit", 250, "--output", "json").json["cut"] is False


def test_a_list_that_was_cut_says_so_to_scripts(quash: Quash, hospital: Callable[[str], None]) -> None:
    with answering(lambda path: _listed(path, limited=True)) as url:
        hospital(url)
        found = quash("list", "cases", "--limit", 150, "--output", "jsonl")
        assert (found.code, len(found.lines)) == (Exit.DONE, 100)
        assert found.error["message"].startswith("cut: 100 of 250, and not 150")
        assert "--after" in found.error["message"]
        assert quash("list", "cases", "--limit", 150, "--output", "json").json["cut"] is True
