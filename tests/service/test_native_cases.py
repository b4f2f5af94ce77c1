"""The case API on native routes: every step of the runbook, and each of its errors, in process and over TCP."""

import json
import sqlite3
from datetime import timedelta
from uuid import uuid1, uuid4

import pytest

from support.benches import Given, State
from support.cases_bench import STAKEHOLDER
from support.native_cases import STRANGER, served_cases
from tui_app.domain import moments
from tui_app.domain.rates import Rate
from tui_app.service.native.cases import api
from tui_app.service.native.idempotency import HEADER, REPLAYED
from tui_app.service.openapi import document
from tui_app.systems.cases.embedded import EmbeddedCases
from tui_app.systems.cases.plug import CasesSettings

ONE = "/api/v2/cases/{}"
UNLIMITED = CasesSettings(native_rate=None, native_read_rate=None)


@pytest.fixture(params=["embedded", "tcp"])
async def served(request, tmp_path):
    async with served_cases(request.param, tmp_path) as running:
        yield running


@pytest.fixture
async def free(tmp_path):
    async with served_cases("embedded", tmp_path, UNLIMITED) as running:
        yield running


def wrong(response):
    """The error in its envelope."""
    told = response.json()["error"]
    assert set(told) == {"code", "message", "details", "request_id", "timestamp"}
    assert told["request_id"] == response.headers["x-request-id"]
    assert moments.read(told["timestamp"])
    assert "Traceback" not in response.text
    return told


def hold(bench, case_id, kind="hold", name="LEGAL-9", status="active"):
    with bench.connected() as connection:
        row = (case_id, kind, name, status, bench.now())
        connection.execute("INSERT INTO dependency VALUES (?, ?, ?, ?, 1, ?)", row)


async def test_the_runbook_from_pre_checks_to_post_checks(served):
    [case_id] = await served.bench.add([Given()])
    one = ONE.format(case_id)
    async with served.http("jane@example.com", "cancel_case") as http:
        permission = await http.get("/api/v1/users/jane@example.com/permissions/cancel_case")
        told = permission.json()
        assert (told["user_id"], told["permission"], told["allowed"]) == ("jane@example.com", "cancel_case", True)
        case = (await http.get(one)).json()
        assert (case["case_id"], case["status"], case["active_hold"]) == (case_id, "in_progress", False)
        status = (await http.get(f"{one}/status")).json()
        assert set(status) == {"case_id", "status", "created_at", "updated_at", "assigned_to", "metadata"}
        assert status["metadata"] == {"age_days": 366, "priority": "P3", "environment": "production"}
        preview = (await http.get(f"{one}/cancel/preview")).json()
        impact = preview["impact_assessment"]
        assert (impact["notifications_count"], impact["downstream_systems"]) == (1, ["lims"])
        assert (impact["billing_affected"], impact["rollback_available"]) == (False, True)
        assert any("related material" in warning for warning in preview["warnings"])
        dependencies = (await http.get(f"{one}/dependencies")).json()
        assert dependencies == {
            "active_hold": False,
            "related_orders_status": "none",
            "critical_alerts": 0,
            "dependencies": [],
        }

        response = await served.cancel(http, case_id)
        assert response.status_code == 200
        told = response.json()
        assert set(told) == {"case_id", "cancellation_id", "status", "estimated_completion", "rollback_deadline"}
        assert told["status"] == "processing"
        assert (await http.get(f"{one}/status")).json()["status"] == "cancelling"
        served.bench.clock.forward(1)
        assert (await http.get(f"{one}/status")).json()["status"] == "cancelled"
        entries = (await http.get(f"{one}/audit-log")).json()["audit_entries"]
        assert [entry["event"] for entry in entries] == ["CASE_CANCELLATION_REQUESTED", "CASE_CANCELLED"]
        details = entries[-1]["details"]
        assert entries[-1]["user_id"] == "jane@example.com"
        assert details["previous_status"] == "in_progress"
        assert (details["reason"], details["notes"]) == ("operational_request", "Cancelled via OpsGuide")
        deadline = moments.read((await http.get(one)).json()["rollback_deadline"])
        assert abs(deadline - moments.read(told["rollback_deadline"])) < timedelta(seconds=1)
    assert await served.bench.notices(case_id) == [{"target": STAKEHOLDER, "reason": "Cancelled via OpsGuide"}]


async def test_a_case_is_brought_back(served):
    [case_id] = await served.bench.add([Given()])
    async with served.http() as http:
        await served.cancel(http, case_id)
        served.bench.clock.forward(1)
        response = await served.reinstate(http, case_id)
        told = response.json()
        assert (response.status_code, told["restored_status"]) == (200, "in_progress")
        assert set(told) == {"case_id", "reinstatement_id", "restored_status", "timestamp"}
        assert (await http.get(ONE.format(case_id))).json()["status"] == "in_progress"
    [workflow] = served.bench.rows("SELECT status FROM workflow")
    assert workflow["status"] == "running"


async def test_without_its_previous_state_a_case_begins_anew(free):
    [case_id] = await free.bench.add([Given()])
    async with free.http() as http:
        await free.cancel(http, case_id)
        free.bench.clock.forward(1)
        response = await free.reinstate(http, case_id, restore_previous_state=False)
    assert response.json()["restored_status"] == "pending"
    assert free.bench.rows("SELECT status FROM workflow") == [{"status": "ended"}]


# 400


@pytest.mark.parametrize("state", [State.DONE, State.CANCELLED])
async def test_an_invalid_state_is_400(served, state):
    [case_id] = await served.bench.add([Given(state)])
    async with served.http() as http:
        response = await served.cancel(http, case_id)
    told = wrong(response)
    assert (response.status_code, told["code"]) == (400, "INVALID_CASE_STATE")
    assert told["details"]["case_status"] == ("completed" if state is State.DONE else "cancelled")
    assert await served.bench.effects(case_id) == []


async def test_a_state_that_may_change_is_not_kept_under_the_key(free):
    """What is cancelled already may be reinstated, and the same request then has its effect."""
    [case_id] = await free.bench.add([Given()])
    key = str(uuid4())
    async with free.http() as http:
        await free.cancel(http, case_id)
        free.bench.clock.forward(1)
        assert (await free.cancel(http, case_id, key)).status_code == 400
        await free.reinstate(http, case_id)
        assert (await free.cancel(http, case_id, key)).status_code == 200


@pytest.mark.parametrize(
    ("seconds", "cause"), [(0, "NOT_CANCELLED"), (7_300, "WINDOW_CLOSED")], ids=["not cancelled", "window"]
)
async def test_reinstating_outside_the_window_is_400(free, seconds, cause):
    [case_id] = await free.bench.add([Given()])
    async with free.http() as http:
        if seconds:
            await free.cancel(http, case_id)
            free.bench.clock.forward(1)
            await http.get(ONE.format(case_id))
            free.bench.clock.forward(seconds)
        response = await free.reinstate(http, case_id)
    told = wrong(response)
    assert (response.status_code, told["details"]["cause"]) == (400, cause)
    assert free.bench.events(case_id, "CASE_REINSTATED") == []


@pytest.mark.parametrize(
    "key",
    ["", "abc", str(uuid1()), "{" + str(uuid4()) + "}"],
    # Named, since tests that are spread over processes must have the same names in each.
    ids=["none", "no uuid", "version 1", "braces"],
)
async def test_a_change_wants_a_key_of_version_4(free, key):
    [case_id] = await free.bench.add([Given()])
    async with free.http() as http:
        for verb in ("cancel", "reinstate"):
            headers = {HEADER: key} if key else {}
            response = await http.post(f"{ONE.format(case_id)}/{verb}", json={"reason": "x"}, headers=headers)
            assert (response.status_code, wrong(response)["code"]) == (400, "VALIDATION_ERROR")
    assert free.bench.rows("SELECT * FROM cancellation") == []


@pytest.mark.parametrize(
    "wish",
    [
        {"reason": ""},
        {"reason": "Because I say so"},
        {"reason": None},
        {"notes": 7},
        {"notes": "x" * 2_001},
        {"notes": "a\x00b"},
        {"notes": "\x1b[2J"},
        {"notify_stakeholders": "yes"},
    ],
)
async def test_a_body_that_does_not_fit_is_400(free, wish):
    [case_id] = await free.bench.add([Given()])
    async with free.http() as http:
        response = await free.cancel(http, case_id, **wish)
    assert (response.status_code, wrong(response)["code"]) == (400, "VALIDATION_ERROR")
    assert free.bench.rows("SELECT * FROM cancellation") == []


@pytest.mark.parametrize("case_id", ["-x", "a%2Fb", "..%2f", "a%23b", "%00", "x" * 129, "a%20b"])
async def test_an_id_that_cannot_be_is_400(free, case_id):
    async with free.http() as http:
        for path in ("", "/status", "/cancel/preview", "/dependencies", "/audit-log"):
            response = await http.get(f"/api/v2/cases/{case_id}{path}")
            assert (response.status_code, wrong(response)["code"]) == (400, "VALIDATION_ERROR")
        headers = {HEADER: str(uuid4())}
        response = await http.post(f"/api/v2/cases/{case_id}/cancel", json={"reason": "x"}, headers=headers)
        assert response.status_code == 400


# 401, 403


async def test_without_a_token_nothing_is_told(served):
    [case_id] = await served.bench.add([Given()])
    async with served.http(Authorization="") as http:
        for path in ("", "/status", "/cancel/preview", "/dependencies", "/audit-log"):
            response = await http.get(ONE.format(case_id) + path)
            assert (response.status_code, wrong(response)["code"]) == (401, "UNAUTHORIZED")
        assert (await served.cancel(http, case_id)).status_code == 401


@pytest.mark.parametrize("claimed", ["", STRANGER])
async def test_the_user_header_has_to_name_the_user(served, claimed):
    [case_id] = await served.bench.add([Given()])
    async with served.http(**{"X-User-ID": claimed}) as http:
        responses = [
            await http.get("/api/v1/users/jane@example.com/permissions/cancel_case"),
            await http.get("/api/v2/cases"),
            await http.get(ONE.format(case_id)),
            await served.cancel(http, case_id),
        ]
    for response in responses:
        assert (response.status_code, wrong(response)["code"]) == (403, "FORBIDDEN")
    assert served.bench.rows("SELECT * FROM cancellation") == []


async def test_who_neither_may_nor_owns_is_refused_and_recorded(served):
    [case_id] = await served.bench.add([Given()])
    key = str(uuid4())
    async with served.http(STRANGER, "operate") as http:
        response = await served.cancel(http, case_id, key)
        told = wrong(response)
        assert (response.status_code, told["code"]) == (403, "FORBIDDEN")
        assert told["details"]["missing"] == ["cancel_case", "assigned_to"]
        assert "cancel_case" in told["message"]
        assert "jane@example.com" in told["message"]
        assert (await served.reinstate(http, case_id)).status_code == 403
        entries = (await http.get(f"{ONE.format(case_id)}/audit-log")).json()["audit_entries"]
    assert [(entry["event"], entry["user_id"]) for entry in entries] == [("CASE_CANCEL_REFUSED", STRANGER)] * 2
    assert entries[0]["details"]["idempotency_key"] == key
    assert [entry["details"]["operation"] for entry in entries] == ["cancel", "reinstate"]
    assert (await served.bench.open().item(case_id)).status == "in_progress"
    # The permission is given, and the same request is sent again.
    async with served.http(STRANGER, "cancel_case") as http:
        assert (await served.cancel(http, case_id, key)).status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("reason", "Operational request", "reason: it has to be a code: "),
        ("reason", "operational_request\n", "reason: it has to be a code: "),
        ("notes", "a\x1b[2Jb", "notes: it has to be text without control characters "),
        ("notes", "x" * 2_001, "notes: it has at most 2,000 characters"),
    ],
)
async def test_what_does_not_fit_is_told_in_words(served, field, value, words):
    [case_id] = await served.bench.add([Given()])
    body = {"reason": "operational_request", "notes": "", field: value}
    async with served.http() as http:
        for path in ("cancel", "reinstate"):
            response = await http.post(
                f"{ONE.format(case_id)}/{path}", json=body, headers={"X-Idempotency-Key": str(uuid4())}
            )
            told = wrong(response)
            assert (response.status_code, told["code"]) == (400, "VALIDATION_ERROR")
            assert told["message"].startswith(words)
            assert not set("^$\\") & set(told["message"])
    assert served.bench.rows("SELECT * FROM cancellation") == []


async def test_the_owner_needs_no_permission(served):
    [case_id] = await served.bench.add([Given()])
    async with served.http("jane@example.com") as http:
        permission = await http.get("/api/v1/users/jane@example.com/permissions/cancel_case")
        assert permission.json()["allowed"] is False
        assert (await served.cancel(http, case_id)).status_code == 200


async def test_asking_about_somebody_else_needs_the_permission(served):
    path = "/api/v1/users/ops9@example.com/permissions/cancel_case"
    async with served.http() as http:
        response = await http.get(path)
    assert (response.status_code, wrong(response)["details"]["missing"]) == (403, ["cancel_case"])
    async with served.http(STRANGER, "cancel_case") as http:
        told = (await http.get(path)).json()
        # Only their own token tells what others may do.
        assert (told["user_id"], told["allowed"]) == ("ops9@example.com", False)
        assert "not known" in told["note"]


# 404


async def test_a_case_that_is_not_there_is_404(served):
    async with served.http() as http:
        responses = [
            await http.get(ONE.format("CASE-0") + path)
            for path in ("", "/status", "/cancel/preview", "/dependencies", "/audit-log")
        ]
        responses += [await served.cancel(http, "CASE-0"), await served.reinstate(http, "CASE-0")]
        strange = [await http.get("/api/v2/cases/CASE-0/nothing"), await http.get("/api/v1/users/x/permissions/y")]
    for response in responses:
        assert (response.status_code, wrong(response)["code"]) == (404, "NOT_FOUND")
    for response in strange:
        assert (response.status_code, wrong(response)["code"]) == (404, "ROUTE_NOT_FOUND")


# 409


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("hold", "active", "ACTIVE_HOLD"), ("order", "in_progress", "RELATED_ORDER"), ("alert", "open", "CRITICAL_ALERT")],
)
async def test_a_hold_or_dependency_is_409_until_it_is_resolved(served, kind, status, code):
    [case_id] = await served.bench.add([Given()])
    hold(served.bench, case_id, kind, "X-1", status)
    key = str(uuid4())
    async with served.http() as http:
        preview = (await http.get(f"{ONE.format(case_id)}/cancel/preview")).json()
        assert preview["impact_assessment"]["rollback_available"] is False
        assert "X-1" in preview["warnings"][0]
        response = await served.cancel(http, case_id, key)
        told = wrong(response)
        assert (response.status_code, told["code"]) == (409, code)
        assert f"{kind} X-1" in told["message"]
        [dependency] = told["details"]["dependencies"]
        assert dependency == {"type": kind, "id": "X-1", "status": status, "required": True}
        listed = (await http.get(f"{ONE.format(case_id)}/dependencies")).json()["dependencies"]
        assert listed == [dependency]
        with served.bench.connected() as connection:
            connection.execute("UPDATE dependency SET status = 'resolved'")
        assert (await served.cancel(http, case_id, key)).status_code == 200


async def test_a_cancellation_of_somebody_else_is_409_for_a_moment(free):
    [case_id] = await free.bench.add([Given()])
    async with free.http() as http, free.http(STRANGER, "cancel_case") as other:
        await free.cancel(http, case_id)
        response = await free.cancel(other, case_id)
        assert (response.status_code, wrong(response)["code"]) == (409, "CANCELLATION_IN_PROGRESS")
        assert response.headers["retry-after"] == "1"


async def test_a_case_on_which_downstream_has_acted_is_409(free):
    [case_id] = await free.bench.add([Given()])
    async with free.http() as http:
        await free.cancel(http, case_id)
        free.bench.clock.forward(1)
        await http.get(ONE.format(case_id))
        with free.bench.connected() as connection:
            connection.execute("UPDATE record SET acted_at = ?", (free.bench.now(),))
        response = await free.reinstate(http, case_id)
    assert (response.status_code, wrong(response)["code"]) == (409, "RELATED_ORDER")


# Keys


async def test_the_same_key_is_the_same_answer_and_one_effect(served):
    [case_id] = await served.bench.add([Given()])
    key = str(uuid4())
    async with served.http() as http:
        first = await served.cancel(http, case_id, key)
        again = await served.cancel(http, case_id, key)
        other = await served.cancel(http, case_id, key, notes="something else")
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (200, first.json(), "true")
    assert (other.status_code, wrong(other)["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(served.bench.rows("SELECT * FROM cancellation")) == 1


@pytest.mark.parametrize("late", [False, True])
async def test_an_answer_that_was_lost_is_told_by_the_system_itself(free, late):
    """The service died after the effect and before it kept its answer: the same request finds what was done."""
    [case_id] = await free.bench.add([Given()])
    key = str(uuid4())
    async with free.http() as http:
        first = (await free.cancel(http, case_id, key)).json()
        if late:
            free.bench.clock.forward(1)
        forget(free)
        again = await free.cancel(http, case_id, key)
        forget(free)
        changed = await free.cancel(http, case_id, key, notes="something else")
    told = again.json()
    assert (again.status_code, told["cancellation_id"]) == (200, first["cancellation_id"])
    assert told["status"] == ("cancelled" if late else "processing")
    assert REPLAYED not in again.headers
    assert changed.status_code == 422
    assert len(free.bench.rows("SELECT * FROM cancellation")) == 1


async def test_a_lost_answer_of_reinstating_is_told_as_well(free):
    [case_id] = await free.bench.add([Given()])
    key = str(uuid4())
    async with free.http() as http:
        await free.cancel(http, case_id)
        free.bench.clock.forward(1)
        first = (await free.reinstate(http, case_id, key)).json()
        forget(free)
        assert (await free.reinstate(http, case_id, key)).json() == first
    assert len(free.bench.events(case_id, "CASE_REINSTATED")) == 1


async def test_a_cancellation_that_was_withdrawn_is_told_under_its_key(free):
    [case_id] = await free.bench.add([Given()])
    key = str(uuid4())
    async with free.http() as http:
        await free.cancel(http, case_id, key)
        hold(free.bench, case_id)
        free.bench.clock.forward(1)
        assert (await http.get(f"{ONE.format(case_id)}/status")).json()["status"] == "in_progress"
        forget(free)
        response = await free.cancel(http, case_id, key)
    assert (response.status_code, wrong(response)["code"]) == (409, "ACTIVE_HOLD")
    assert await free.bench.effects(case_id) == []


def forget(served):
    """Lose the answers that the service has kept."""
    connection = sqlite3.connect(served.bench.path.with_name("native.db"))
    with connection:
        [table] = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchone()
        assert connection.execute(f"DELETE FROM {table}").rowcount > 0
    connection.close()


# 429


async def test_five_cancellations_a_minute_and_the_same_key_succeeds_later(served):
    ids = await served.bench.add([Given(minute=n) for n in range(7)])
    key = str(uuid4())
    async with served.http() as http, served.http(STRANGER, "cancel_case") as other:
        for n, case_id in enumerate(ids[:5]):
            response = await served.cancel(http, case_id)
            assert (response.status_code, response.headers["x-ratelimit-remaining"]) == (200, str(4 - n))
        response = await served.cancel(http, ids[5], key)
        assert (response.status_code, wrong(response)["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        wait = int(response.headers["retry-after"])
        assert 58 <= wait <= 60
        assert response.headers["x-ratelimit-limit"] == "5"
        assert response.headers["x-ratelimit-remaining"] == "0"
        assert int(response.headers["x-ratelimit-reset"]) >= served.bench.clock.moment.timestamp()
        # Neither reading nor reinstating nor another user waits for it.
        served.bench.clock.forward(1)
        assert (await http.get(f"{ONE.format(ids[0])}/status")).json()["status"] == "cancelled"
        assert (await served.reinstate(http, ids[0])).status_code == 200
        assert (await served.cancel(other, ids[6])).status_code == 200
        served.bench.clock.forward(wait)
        assert (await served.cancel(http, ids[5], key)).status_code == 200
    assert len(served.bench.rows("SELECT * FROM cancellation WHERE case_id = ?", ids[5])) == 1


async def test_a_hundred_reads_a_minute(tmp_path):
    async with served_cases("embedded", tmp_path) as served, served.http() as http:
        [case_id] = await served.bench.add([Given()])
        codes = [(await http.get(f"{ONE.format(case_id)}/status")).status_code for _ in range(101)]
        assert codes == [200] * 100 + [429]
        assert (await served.cancel(http, case_id)).status_code == 200


async def test_the_limits_are_settings(tmp_path):
    settings = CasesSettings(native_rate=Rate(1, timedelta(seconds=1)), native_read_rate=None)
    async with served_cases("embedded", tmp_path, settings) as served, served.http() as http:
        ids = await served.bench.add([Given(), Given()])
        assert (await served.cancel(http, ids[0])).status_code == 200
        assert (await served.cancel(http, ids[1])).status_code == 429
        served.bench.clock.forward(1)
        assert (await served.cancel(http, ids[1])).status_code == 200
        assert "x-ratelimit-limit" not in (await http.get("/api/v2/cases")).headers


# The list


async def test_a_list_holds_the_three_facts_and_comes_in_pages(served):
    ids = await served.bench.add([Given(State.BLOCKED if n % 2 else State.WAITING, minute=n) for n in range(5)])
    found, cursor = [], None
    async with served.http() as http:
        while True:
            given = {"limit": 2, "sort": "updated", "status": "in_progress"} | ({"cursor": cursor} if cursor else {})
            page = (await http.get("/api/v2/cases", params=given)).json()
            found += page["cases"]
            cursor = page["pagination"]["next_cursor"]
            assert page["pagination"]["total"] == 5
            if cursor is None:
                break
    assert [case["case_id"] for case in found] == ids
    assert [case["active_hold"] for case in found] == [False, True, False, True, False]
    assert {(case["related_orders_status"], case["critical_alerts"]) for case in found} == {("none", 0)}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=many", "sort=colour", "sort=", "cursor=nonsense", "status=%ff"]
)
async def test_a_query_that_does_not_fit_is_400(free, query):
    async with free.http() as http:
        response = await http.get(f"/api/v2/cases?{query}")
    assert (response.status_code, wrong(response)["code"]) == (400, "VALIDATION_ERROR")


async def test_a_list_of_nothing_is_one(free):
    async with free.http() as http:
        told = (await http.get("/api/v2/cases", params={"assigned_to": "nobody@example.com"})).json()
    assert told.pop("pagination").items() >= {"limit": 50, "next_cursor": None, "total": 0, "total_exact": True}.items()
    assert told == {"cases": []}


async def test_a_list_says_which_filter_it_used(free):
    """Whoever asks can tell it from a server that ignores what it does not know."""
    async with free.http() as http:
        told = (await http.get("/api/v2/cases", params={"filter": "status:pending priority:P1"})).json()
        refused = await http.get("/api/v2/cases", params={"filter": "colour:red"})
    assert told["pagination"]["filter"] == "status:pending priority:P1"
    assert told["pagination"]["as_of"]
    assert refused.status_code == 400


# The document


def test_the_document_has_every_step_with_its_answers(tmp_path):
    routes = api(EmbeddedCases(tmp_path / "cases.db").desk, CasesSettings())
    made = document((), [routes])
    cancel = made["paths"]["/api/v2/cases/{case_id}/cancel"]["post"]
    assert {"200", "400", "401", "403", "404", "409", "422", "429"} <= set(cancel["responses"])
    assert {one["name"] for one in cancel["parameters"]} == {"case_id", "X-User-ID", HEADER}
    assert sorted(path for path in made["paths"] if path.startswith("/api/")) == [
        "/api/v1/users/{user_id}/permissions/cancel_case",
        "/api/v2/cases",
        "/api/v2/cases/{case_id}",
        "/api/v2/cases/{case_id}/audit-log",
        "/api/v2/cases/{case_id}/cancel",
        "/api/v2/cases/{case_id}/cancel/preview",
        "/api/v2/cases/{case_id}/dependencies",
        "/api/v2/cases/{case_id}/reinstate",
        "/api/v2/cases/{case_id}/status",
    ]
    assert json.dumps(made)
