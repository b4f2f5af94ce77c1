"""Moments of another service, wherever they are shown or waited for: what is no moment ends no screen and no verb."""

import pytest

from support import canned
from support.canned import run
from tui_app.cli import telling
from tui_app.cli.deadline import seconds_to
from tui_app.client.progress import clock
from tui_app.contract.models import CredentialModel
from tui_app.contract.problems import Problem, from_problem
from tui_app.domain.moments import read
from tui_app.outbound.answers import date_of, retry_after
from tui_app.tui import gates, outcomes, undoing
from tui_app.tui.credentials import ending
from tui_app.tui.left import left
from tui_app.tui.widgets import cells

NOW = read(canned.AT)
ODD = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "infinity", "soon", ""]


@pytest.mark.parametrize("odd", ODD)
def test_a_run_with_moments_that_cannot_be_is_told(odd):
    undo = {"items": 2, "first_closes": odd, "last_closes": odd}
    told = run(gates={"commands": odd}, undo=undo, started_at=odd, ended_at=odd)
    assert "until when is not known" in "\n".join(telling.run_lines(told))
    assert undoing.sentence(told, NOW) is not None
    assert undoing.brief(told, NOW) is not None
    assert gates.shut(told, NOW) == {}


@pytest.mark.parametrize("odd", ODD)
def test_a_moment_that_cannot_be_is_shown_as_it_is(odd):
    assert cells.moment(odd) == cells.time_of_day(odd) == clock(odd) == outcomes.clock(odd) == odd
    assert outcomes.until(odd, NOW) == odd
    assert left(odd, NOW) is None
    assert seconds_to(odd) == 0


def test_a_token_that_ends_at_no_moment_is_passed_over():
    def holds(until):
        return CredentialModel(system="cases", expires_at=until)

    assert ending([holds(odd) for odd in ODD], NOW) == ""
    assert ending([holds("0001-01-01T00:00:00Z"), holds(canned.AT)], NOW) == "token has expired"


@pytest.mark.parametrize("date", ["Wed, 01 Jan 1000 00:00:00 +1400", "Fri, 31 Dec 9999 23:59:59 -1200", "x" * 9_999])
def test_a_date_in_a_header_that_cannot_be_is_none(date):
    assert date_of({"date": date}) is None
    assert retry_after({"retry-after": date}, NOW) is None
    assert retry_after({"retry-after": "Fri, 02 Jan 2026 03:05:05 GMT", "date": date}, NOW) == 60


@pytest.mark.parametrize(("asked", "waited"), [("1e400", None), ("-5", 0), ("NaN", 0), ("2.5", 2.5)])
def test_another_service_asks_for_a_time_that_can_be_waited(asked, waited):
    body = f'{{"type": "x", "title": "x", "status": 503, "detail": "x", "code": "BUSY", "retry_after": {asked}}}'
    error = from_problem(Problem.model_validate_json(body))
    assert 0 <= error.retry_after < 1e11
    assert waited is None or error.retry_after == waited
