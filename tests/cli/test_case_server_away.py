"""A case server that takes no reads, or is not there: what the command line says of it, and how it ends."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from support.answering import answering
from support.command_line import Quash
from tui_app.cli import dispatch
from tui_app.cli.deadline import TimeIsUp
from tui_app.cli.exits import Exit
from tui_app.cli.output import Talk
from tui_app.cli.reading import Reading
from tui_app.contract.plans import DriftModel, PlanCountsModel, PlanModel, WaitingModel
from tui_app.domain.errors import RateLimited
from tui_app.domain.moments import read, stamp

GIVEN = ("--reason", "duplicate request", "--yes", "--expect-count", 1)


@pytest.mark.parametrize("seconds", ["300", "900"])
def test_a_wait_beyond_the_timeout_ends_as_rate_limited(
    quash: Quash, hospital: Callable[[str], None], seconds: str
) -> None:
    with answering(lambda _: (429, {"Retry-After": seconds}, {"error": {"code": "RATE_LIMIT"}})) as url:
        hospital(url)
        found = quash("cancel", "cases", "CASE-1", *GIVEN, "--timeout", 20, "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.RATE_LIMITED, "RATE_LIMITED")
    assert "waiting for the read limit of cases until" in found.error["message"]
    assert "0 of 1 read" in found.error["message"]


def test_a_plan_that_cannot_be_made_fails_with_whom_to_ask(quash: Quash, hospital: Callable[[str], None]) -> None:
    with answering(lambda _: (500, {}, {})) as url:
        hospital(url)
        found = quash("plan", "cases", "CASE-1", "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "UNAVAILABLE")
    assert url in found.error["message"]
    assert "Level 3: contact #case-ops" in found.error["message"]


def test_a_server_that_is_not_there_is_named_with_whom_to_ask(quash: Quash, hospital: Callable[[str], None]) -> None:
    with answering(lambda _: (200, {}, {})) as url:
        hospital(url)
    for words in (("list", "cases"), ("show", "cases", "CASE-1")):
        found = quash(*words, "--output", "json")
        assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "CANNOT_CONNECT")
        assert found.error["message"].startswith(f"cases: {url} does not answer")
        assert "#case-ops" in found.error["hint"]
        assert "`url` of cases in the profile" in found.error["hint"]


def _plan(until: str | None, **facts: Any) -> PlanModel:
    now = stamp(datetime.now(UTC))
    known = {
        "id": "p1",
        "state": "building",
        "verb": "cancel",
        "counts": PlanCountsModel(items=300, cancellable=0, blocked=0),
        "read": 12,
        "expected": 300,
        "selection": "cases: 300 ids",
        "operator": "jane",
        "host": "ops1",
        "created_at": now,
        "expires_at": now,
        "waiting": WaitingModel(system="cases", since=now, until=until),
    }
    return PlanModel(**{**known, **facts})


def _reading(form: str, timeout: int | None = None) -> Reading:
    call: Any = SimpleNamespace(talk=Talk(form), arguments=SimpleNamespace(timeout=timeout))
    return Reading(call)


def test_each_wait_is_told_once_where_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    reading = _reading("table")
    waits = [stamp(datetime.now(UTC) + timedelta(seconds=seconds)) for seconds in (30, 60)]
    for until in (waits[0], waits[0], waits[1], None):
        reading(_plan(until))
    told = capsys.readouterr().err.splitlines()
    clocks = [f"{read(until).astimezone():%H:%M:%S}" for until in waits]
    for line, clock in zip(told, clocks, strict=False):
        assert line.startswith(f"waiting for the read limit of cases until {clock}, since ")
        assert line.endswith(", 12 of 300 read")
    assert len(told) == 3
    assert told[2].startswith("cases: no answer since ")


def test_reading_again_is_told_in_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    until = stamp(datetime.now(UTC) + timedelta(seconds=30))
    _reading("json")(_plan(until, state="ready", drift=DriftModel(state="running", read=4)))
    told = json.loads(capsys.readouterr().err)
    assert told["schema"] == "quash.notice.v1"
    assert told["message"].endswith(", 4 of 300 read")


@pytest.mark.parametrize(("timeout", "ends"), [(20, True), (60, False), (None, False)])
def test_a_wait_is_held_against_the_timeout(timeout: int | None, ends: bool) -> None:
    reading, plan = _reading("table", timeout), _plan(stamp(datetime.now(UTC) + timedelta(seconds=30)))
    if not ends:
        reading(plan)
        return
    with pytest.raises(RateLimited, match="beyond --timeout"):
        reading(plan)


@pytest.mark.parametrize("timeout", [0, None])
def test_reading_a_plan_ends_with_the_timeout(timeout: int | None) -> None:
    reading, plan = _reading("table", timeout), _plan(None)
    if timeout is None:
        reading(plan)
        return
    with pytest.raises(TimeIsUp, match="--timeout has passed"):
        reading(plan)


def test_a_timeout_before_anything_was_sent_has_its_own_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def late(words: object) -> int:
        raise TimeIsUp("--timeout has passed, and plan p1 is not read yet: 12 of 300 read")

    monkeypatch.setattr(dispatch, "_execute", late)
    assert dispatch.execute(["apply", "p1", "--timeout", "1"]) == Exit.TIMEOUT
    assert "12 of 300 read" in capsys.readouterr().err
