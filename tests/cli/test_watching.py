"""A run that is confirmed goes on whoever looks: what is said, and how it ends, where it cannot be looked at."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import canned
from support.command_line import TROUBLED, runner_at_work
from support.serve_process import serving
from tui_app import bootstrap
from tui_app.cli import sight
from tui_app.cli.exits import Exit
from tui_app.contract.runs import RunModel
from tui_app.domain.errors import NotSignedIn
from tui_app.domain.moments import stamp

WAITING = canned.run(canned.item(0, "planned"))
DONE = canned.run(canned.item(0))
RUN = f"/v1/runs/{DONE.id}"
CONFIRM = "/v1/plans/p1/runs"
CANCEL = ("cancel", "commands", "payments/c000000", "--reason", "duplicate request", "--yes", "--expect-count", 1)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> canned.Canned:
    """A service with one plan, whose run is confirmed and never seen to end."""
    found = canned.Canned()
    found.plan(canned.plan(1))
    found.run(WAITING, canned.item(0, "planned"))
    found.answers["POST", CONFIRM] = WAITING
    monkeypatch.setattr(bootstrap, "client", lambda setup: found.client())
    monkeypatch.setattr(sight, "FIRST_PAUSE", 0.01)
    return found


def in_turn(*answers: Any) -> Callable[[httpx.Request], Any]:
    """Each of these in its turn, and then the last one for ever; what is an error of the connection is raised."""
    left = [*answers]

    def answer(request: httpx.Request) -> Any:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return answer


LOST: Mapping[str, Exception] = {
    "lost": httpx.ReadError("connection reset"),
    "late": httpx.ReadTimeout("timed out"),
    "refused": httpx.ConnectError("connection refused"),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
@pytest.mark.parametrize("times", [1, 4])
def test_a_lost_answer_is_asked_for_again(quash, service, lost, times):
    service.answers["GET", RUN] = in_turn(*[lost] * times, WAITING, lost, DONE)
    found = quash(*CANCEL, "--output", "json")
    assert (found.code, found.json["run"]["counts"]["cancelled"]) == (Exit.DONE, 1)
    # each silence is told once, however often it is asked again meanwhile
    assert found.err.count("may go on meanwhile") == 2
    assert service.paths("GET").count(RUN) == times + 3


def test_a_run_that_cannot_be_watched_any_longer_may_go_on(quash, service, monkeypatch):
    monkeypatch.setattr(sight, "SILENCE", 0.1)
    service.answers["GET", RUN] = in_turn(WAITING, LOST["refused"])
    found = quash(*CANCEL)
    assert found.code == Exit.TIMEOUT
    assert f"run {DONE.id} may go on; only watching it failed: " in found.err
    assert f"look again with: quash runs {DONE.id}" in found.err
    assert "nothing was sent" not in found.err
    assert "1 pending" in found.out


def test_a_silence_is_waited_for_until_the_time_is_up(quash, service):
    service.answers["GET", RUN] = in_turn(LOST["refused"])
    found = quash(*CANCEL, "--timeout", 1, "--output", "json")
    assert (found.code, found.json["run"]["state"]) == (Exit.TIMEOUT, "running")
    assert "only watching it failed" in found.error["message"]


def test_whoever_may_not_look_any_longer_is_told_that_the_run_may_go_on(quash, service):
    service.answers["GET", RUN] = NotSignedIn("the token has expired")
    found = quash(*CANCEL, "--output", "json")
    assert found.code == Exit.TIMEOUT
    assert "only watching it failed: the token has expired" in found.error["message"]
    assert service.paths("GET").count(RUN) == 1


def test_a_lost_confirmation_is_sent_again_with_the_same_key(quash, service):
    service.answers["POST", CONFIRM] = in_turn(LOST["late"], LOST["refused"], LOST["lost"], DONE)
    found = quash(*CANCEL)
    assert found.code == Exit.DONE
    keys = {asked.headers["idempotency-key"] for asked in service.asked if asked.url.path == CONFIRM}
    assert (service.paths().count(CONFIRM), len(keys)) == (4, 1)


def test_a_confirmation_that_stays_without_an_answer_is_not_known(quash, service, monkeypatch):
    monkeypatch.setattr(sight, "SILENCE", 0.1)
    service.answers["POST", CONFIRM] = in_turn(LOST["late"], LOST["refused"])
    found = quash(*CANCEL, "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.UNKNOWN, "OUTCOME_UNKNOWN")
    assert "whether plan p1 was confirmed is not known" in found.error["message"]
    assert found.error["hint"] == "See whether it was with: quash runs"


def test_a_confirmation_that_never_left_is_not_repeated(quash, service):
    service.answers["POST", CONFIRM] = in_turn(LOST["refused"])
    found = quash(*CANCEL, "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "CANNOT_CONNECT")
    assert service.paths().count(CONFIRM) == 1


def test_a_lost_answer_to_a_plan_can_simply_be_asked_for_again(quash, service):
    service.answers["POST", "/v1/plans"] = in_turn(LOST["late"])
    found = quash(*CANCEL, "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "UNAVAILABLE")
    assert found.error["hint"] == "Nothing was sent; try again."


def test_an_undo_is_waited_for_whatever_becomes_of_a_look_at_what_it_undoes(quash, service):
    undone = canned.run(canned.item(0), id="rundone", state="paused", ended_at=None)
    service.answers["POST", "/v1/runs/rundone/undo"] = canned.plan(1, verb="reinstate")
    service.answers["GET", "/v1/runs/rundone"] = in_turn(undone, LOST["late"], undone)
    service.answers["GET", RUN] = DONE
    given = ("--reason", "by mistake", "--yes", "--expect-count", 1)
    found = quash("runs", "undo", "rundone", *given)
    assert found.code == Exit.DONE
    assert "run rundone is paused, and not over" in found.err


def test_an_outcome_is_told_also_where_its_items_cannot_be_read(quash, service):
    items = [canned.item(0, "unknown", code="OUTCOME_UNKNOWN")]
    service.answers["POST", CONFIRM] = canned.run(*items)
    service.answers["GET", f"{RUN}/items"] = in_turn(LOST["refused"])
    found = quash(*CANCEL)
    assert found.code == Exit.UNKNOWN
    assert f"1 are unknown; all of them: quash runs report {DONE.id}" in found.out


@contextmanager
def confirming(*words: object) -> Iterator[subprocess.Popen[str]]:
    """A command line as a process, once it has said that its run is confirmed."""
    command = [sys.executable, "-m", "tui_app", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while "is confirmed" not in line_of(process):
                pass
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it says."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line, "it has ended"
    return line


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_service_that_is_killed_takes_no_run_with_it(quash, bus, far, comes_back):
    ids = bus.in_status(TROUBLED)[:37]
    given = ("--reason", "duplicate request", "--yes", "--expect-count", len(ids))
    limit = () if comes_back else ("--timeout", 3)
    with serving() as (url, token, service), ExitStack() as later:
        far(url, token)
        with runner_at_work(bus):
            waiting = later.enter_context(confirming("cancel", "commands", *ids, *given, *limit))
            service.kill()
            assert "may go on meanwhile" in line_of(waiting)
        assert quash("runner", "--served", "--no-config").code == Exit.DONE
        if comes_back:
            later.enter_context(serving("--no-config", port=httpx.URL(url).port or 0))
        assert waiting.stdout is not None
        assert waiting.stderr is not None
        out, err = waiting.stdout.read(), waiting.stderr.read()
        waiting.wait(30)
    assert [bus.status(item) for item in ids] == ["CANCELED"] * len(ids)
    assert "nothing was sent" not in err
    if comes_back:
        assert (waiting.returncode, "37 cancelled" in out) == (Exit.DONE, True)
    else:
        assert waiting.returncode == Exit.TIMEOUT
        assert "only watching it failed" in err


def gated(seconds: float, **facts: Any) -> RunModel:
    until = stamp(datetime.now(UTC) + timedelta(seconds=seconds))
    return canned.run(canned.item(0, "planned"), gates={"commands": until}, **facts)


def test_a_system_that_is_shut_until_the_time_is_up_is_not_waited_for(quash, service):
    service.answers["GET", RUN] = in_turn(WAITING, gated(116))
    found = quash(*CANCEL, "--timeout", 60, "--output", "json")
    assert (found.code, found.json["run"]["state"]) == (Exit.RATE_LIMITED, "running")
    assert found.error["message"].startswith("commands takes nothing more until ")
    assert f"run {DONE.id} goes on" in found.error["message"]


def test_a_wait_for_our_own_rate_that_outlasts_the_time_names_the_rate(quash, service):
    service.answers["GET", RUN] = in_turn(WAITING, gated(116, paced={"commands": "5/hour"}))
    found = quash(*CANCEL, "--timeout", 60, "--output", "json")
    assert found.code == Exit.RATE_LIMITED
    assert found.error["message"].startswith("commands is sent to again (rate 5/hour) at ")


@pytest.mark.parametrize(("seconds", "timeout"), [(116, ()), (2, ("--timeout", 60)), (-5, ("--timeout", 60))])
def test_a_system_that_opens_in_time_is_waited_for(quash, service, seconds, timeout):
    service.answers["GET", RUN] = in_turn(gated(seconds), DONE)
    assert quash(*CANCEL, *timeout).code == Exit.DONE


def test_the_gate_of_another_run_is_told_to_the_next_one(quash, bus):
    one, two = bus.in_status(TROUBLED)[:2]
    given = ("--reason", "duplicate request", "--yes", "--expect-count", 1)
    assert quash("cancel", "commands", one, *given).code == Exit.DONE
    with gate(bus.folder / "journal.db", "commands", 116):
        found = quash("cancel", "commands", two, *given, "--timeout", 30, "--output", "json")
        assert found.code == Exit.RATE_LIMITED
        assert "commands takes nothing more until" in found.error["message"]
        assert bus.status(two) == TROUBLED
    assert quash("runs", "resume", found.json["run"]["id"]).code == Exit.DONE
    assert bus.status(two) == "CANCELED"


@contextmanager
def gate(journal: Path, system: str, seconds: float) -> Iterator[None]:
    """As long as this lasts a system takes nothing from us, for so long."""
    until = stamp(datetime.now(UTC) + timedelta(seconds=seconds))
    with closing(sqlite3.connect(journal)) as connection:
        with connection:
            connection.execute("INSERT INTO gate (system, not_before) VALUES (?, ?)", (system, until))
        yield
        with connection:
            connection.execute("DELETE FROM gate")
