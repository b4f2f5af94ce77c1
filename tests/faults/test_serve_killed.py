"""kill -9 of `quash serve` in the middle of a native request; then it is started, and the same request comes again."""

import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from support.killed_service import PATIENCE, Host
from support.mixed import fill_cases, fill_schedules
from support.world import WHO
from tui_app.domain.describe import Verb
from tui_app.service.native.idempotency import HEADER, REPLAYED

BODIES = {
    "cancel": {"reason": "operational_request", "notes": "Cancelled via OpsGuide", "notify_stakeholders": True},
    "reinstate": {"reason": "rollback_cancellation", "restore_previous_state": True, "notes": "cancelled by mistake"},
}
LEASE = 3600


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "data")


@pytest.fixture
def case_id(host: Host) -> str:
    return fill_cases(host.profile / "cases.db", 3)[1]


def ask(http: httpx.Client, verb: str, case_id: str, key: str) -> httpx.Response:
    return http.post(f"/api/v2/cases/{case_id}/{verb}", json=BODIES[verb], headers={HEADER: key})


def until(http: httpx.Client, case_id: str, status: str) -> None:
    """What was accepted is complete about a second later, by whoever looks."""
    ends = time.monotonic() + PATIENCE
    while http.get(f"/api/v2/cases/{case_id}/status").json()["status"] != status:
        assert time.monotonic() < ends, f"{case_id} is not {status}"


def killed_while(host: Host, point: str, verb: str, case_id: str, key: str, *, forgets: bool = False) -> None:
    """A service that is killed at a point of this request, whose sender gets no answer."""
    with host.serving(point, forgets=forgets) as http, pytest.raises(httpx.RemoteProtocolError):
        ask(http, verb, case_id, key)


def sent_again(host: Host, http: httpx.Client, verb: str, case_id: str, key: str) -> httpx.Response:
    """The same request, which waits for the end of the claim that was left, if one was."""
    if host.claimed:
        host.lease(LEASE)
        held = ask(http, verb, case_id, key)
        assert (held.status_code, held.json()["error"]["code"]) == (409, "IDEMPOTENCY_KEY_IN_PROGRESS")
        assert int(held.headers["Retry-After"]) >= 1
        host.lease(-LEASE)
    return ask(http, verb, case_id, key)


# Between the key's claim and the effect, between effect and answer, and between the answer's being kept and sent.
@pytest.mark.parametrize("point", ["after_claim", "before_cancel", "after_cancel", "before_keep", "after_keep"])
def test_a_cancellation_that_is_sent_again_has_one_effect_and_the_true_answer(
    host: Host, case_id: str, point: str
) -> None:
    key = str(uuid4())
    killed_while(host, point, "cancel", case_id, key)
    before = host.cases.rows("SELECT cancellation_id FROM cancellation WHERE case_id = ?", case_id)
    assert len(before) == (point not in ("after_claim", "before_cancel"))
    with host.serving() as http:
        answer = sent_again(host, http, "cancel", case_id, key)
        assert answer.status_code == 200
        [(made,)] = host.cases.rows("SELECT cancellation_id FROM cancellation WHERE case_id = ?", case_id)
        assert answer.json()["cancellation_id"] == made
        assert before in ([], [(made,)])
        until(http, case_id, "cancelled")
        again = ask(http, "cancel", case_id, key)
        assert (again.content, again.headers[REPLAYED]) == (answer.content, "true")
        assert ask(http, "cancel", case_id, str(uuid4())).json()["error"]["code"] == "INVALID_CASE_STATE"
    [effect] = host.cases.effects()
    assert (effect.item, effect.verb, effect.key) == (case_id, Verb.CANCEL, key)
    assert host.cases.taken() == {key: 1}
    assert host.cases.contradictions() == []


@pytest.mark.parametrize("point", ["after_claim", "after_reinstate", "after_keep"])
def test_a_reinstatement_that_is_sent_again_has_one_effect_and_the_true_answer(
    host: Host, case_id: str, point: str
) -> None:
    first, key = str(uuid4()), str(uuid4())
    with host.serving() as http:
        assert ask(http, "cancel", case_id, first).status_code == 200
        until(http, case_id, "cancelled")
    killed_while(host, point, "reinstate", case_id, key)
    assert host.cases.taken()[key] == (point != "after_claim")
    with host.serving() as http:
        answer = sent_again(host, http, "reinstate", case_id, key)
        assert (answer.status_code, answer.json()["restored_status"]) == (200, "in_progress")
        until(http, case_id, "in_progress")
        again = ask(http, "reinstate", case_id, key)
        assert (again.content, again.headers[REPLAYED]) == (answer.content, "true")
    assert [(one.verb, one.key) for one in host.cases.effects()] == [(Verb.CANCEL, first), (Verb.REINSTATE, key)]
    assert host.cases.contradictions() == []


@pytest.mark.parametrize("point", ["before_cancel", "after_cancel"])
def test_a_schedule_that_is_cancelled_again_says_that_it_is_cancelled(host: Host, point: str) -> None:
    """These requests have no key: what became of the first is what the second is told."""
    item_id = fill_schedules(host.profile / "schedules.db", 3, owner_id=WHO.operator)[1]
    path, body = f"/api/v1/schedules/{item_id}/cancel", {"reason": "campaign postponed"}
    with host.serving(point) as http, pytest.raises(httpx.RemoteProtocolError):
        http.post(path, json=body)
    with host.serving() as http:
        answers = [http.post(path, json=body) for _ in range(2)]
        assert http.get(path.removesuffix("/cancel")).json()["status"] == "cancelled"
    [*done, last] = [answer.json().get("errors", [{}])[0].get("error_code") for answer in answers]
    assert (done, last) == ([None if point == "before_cancel" else last], "SCHEDULE_ALREADY_CANCELLED")
    assert [effect.item for effect in host.schedules.effects()] == [item_id]
    assert host.schedules.contradictions() == []


def test_a_service_that_does_not_hand_on_its_key_is_found(host: Host, case_id: str) -> None:
    """The tests above can fail: the case management cannot know again what it never had a key of."""
    key = str(uuid4())
    killed_while(host, "after_cancel", "cancel", case_id, key, forgets=True)
    with host.serving(forgets=True) as http:
        assert sent_again(host, http, "cancel", case_id, key).status_code != 200
    assert host.cases.taken()[key] == 0
