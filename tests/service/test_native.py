"""What all native routes share: dispatch, users, idempotency keys, limits, and errors in the API's own envelope."""

import asyncio
import json
import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from uuid import uuid1, uuid4

import jwt
import pytest

from support.backend import KEY, make_backend
from support.native_api import OPEN, Shelf, native_service
from support.world import make_world
from tui_app.domain.errors import Busy, Conflict, NotAllowed, NotFound, RateLimited, StorageFull, UsageProblem
from tui_app.domain.rates import Rate
from tui_app.domain.records import LedgerQuery
from tui_app.service.app import create_app
from tui_app.service.native.idempotency import HEADER, KEPT, LEASE, REPLAYED, Answers, Claim, Kept, Scope
from tui_app.service.native.limits import Limiter
from tui_app.service.native.table import Declined

BOX = "/api/v2/boxes/b1"


@pytest.fixture(params=["embedded", "tcp"])
async def served(request, tmp_path):
    async with native_service(request.param, tmp_path) as running:
        yield running


def wrong(response):
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert "Traceback" not in response.text
    told = response.json()["wrong"]
    assert told["request"] == response.headers["x-request-id"]
    return told


async def test_a_read_and_a_change(served):
    async with served.http() as http:
        read = await http.get(BOX, params={"deep": "true", "other": "1"})
        opened = await served.open(http)
    assert (read.status_code, read.json()) == (200, {"box": "b1", "opened": 0, "by": "jane@example.com"})
    assert (opened.status_code, opened.json()["opened"]) == (200, 1)
    assert opened.headers["cache-control"] == "no-store"
    assert REPLAYED not in opened.headers


async def test_an_encoded_part_stays_one_part(served):
    async with served.http() as http:
        assert (await http.get("/api/v2/boxes/a%2Fb")).json()["box"] == "a/b"
        response = await http.get("/api/v2/boxes/%ff")
    assert (response.status_code, wrong(response)["code"]) == (400, "VALIDATION_ERROR")


async def test_what_is_no_route_is_told_in_the_envelope(served):
    async with served.http() as http:
        nothing = await http.get("/api/v2/crates")
        method = await http.delete(OPEN.format(box="b1"))
        head = await http.head(BOX)
        foreign = await http.get("/api/v9/boxes")
    assert (nothing.status_code, wrong(nothing)["code"]) == (404, "ROUTE_NOT_FOUND")
    assert (method.status_code, wrong(method)["code"], method.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", "POST")
    assert head.status_code == 405
    # A path of no native API is the service's own.
    assert (foreign.status_code, foreign.headers["content-type"]) == (404, "application/problem+json")


async def test_no_socket_no_native_routes(backend):
    async with backend.raw() as http:
        response = await http.get(BOX)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


async def test_native_routes_are_not_answered_without_tokens(tmp_path):
    async with native_service("embedded", tmp_path) as served:
        backend = make_backend(make_world(tmp_path / "other"))
        object.__setattr__(backend, "native", served.native)
        with pytest.raises(ValueError, match="authenticator"):
            create_app(backend)


def signed(key=KEY, headers=None, **claims):
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = {"sub": "jane@example.com", "exp": soon, **claims}
    return jwt.encode({name: value for name, value in made.items() if value is not None}, key, headers=headers)


REFUSED_TOKENS = {
    "none": lambda: "",
    "basic": lambda: "Basic amFuZTp4",
    "expired": lambda: f"Bearer {signed(exp=datetime.now(UTC) - timedelta(minutes=2))}",
    "not yet valid": lambda: f"Bearer {signed(nbf=datetime.now(UTC) + timedelta(minutes=2))}",
    "never ends": lambda: f"Bearer {signed(exp=None)}",
    "foreign": lambda: f"Bearer {signed(key=b'x' * 32)}",
    "unsigned": lambda: "Bearer " + jwt.encode({"sub": "jane@example.com", "exp": 4_000_000_000}, None, "none"),
    "a path for a key": lambda: f"Bearer {signed(headers={'kid': '../service.key'})}",
    "nobody": lambda: f"Bearer {signed(sub=None)}",
}


@pytest.mark.parametrize("made", REFUSED_TOKENS.values(), ids=REFUSED_TOKENS)
async def test_a_token_that_does_not_hold_changes_nothing(served, made):
    async with served.http(Authorization=made()) as http:
        asked = [await served.open(http), await http.get(BOX), await http.get("/api/v2/crates")]
    for response in asked:
        assert (response.status_code, wrong(response)["code"]) == (401, "UNAUTHORIZED")
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert "x-ratelimit-limit" not in response.headers
    assert served.shelf.opened == []


async def test_a_principal_id_without_sub_is_a_user(served):
    async with served.http(Authorization=f"Bearer {signed(sub=None, principal_id='jane@example.com')}") as http:
        assert (await http.get(BOX)).json()["by"] == "jane@example.com"


@pytest.mark.parametrize("claimed", ["ops2@example.com", "", "JANE@example.com"])
async def test_another_users_header_is_refused(served, claimed):
    async with served.http(**{"X-User-ID": claimed}) as http:
        for response in (await served.open(http), await http.get(BOX)):
            assert (response.status_code, wrong(response)["code"]) == (403, "FORBIDDEN")
    assert served.shelf.opened == []
    rows = await served.backend.store.ledger.lines(LedgerQuery())
    assert [(row.facts["event"], row.facts["operator"], row.facts["what"]) for row in rows] == [
        ("refused", "jane@example.com", "Open a box")]  # fmt: skip
    # The reason is an operator's, and nobody gave one.
    assert "reason" not in rows[0].facts


async def test_two_user_headers_are_none(served):
    async with served.http(**{"X-User-ID": ""}) as http:
        headers = [("X-User-ID", "jane@example.com"), ("X-User-ID", "ops2@example.com")]
        assert (await http.get(BOX, headers=headers)).status_code == 403


async def test_a_user_outside_ascii_is_compared_as_utf8(tmp_path):
    async with native_service("tcp", tmp_path) as served, served.http("jané") as http:
        assert (await http.get(BOX)).json()["by"] == "jané"


async def test_an_api_without_such_a_header_does_not_look(tmp_path):
    headers = {"X-User-ID": "ops2@example.com"}
    async with native_service("embedded", tmp_path, user_header=None) as served, served.http(**headers) as http:
        assert (await http.get(BOX)).status_code == 200


async def test_nothing_is_changed_where_a_profile_is_read_only(tmp_path):
    async with native_service("embedded", tmp_path, read_only=True) as served, served.http() as http:
        assert (await http.get(BOX)).status_code == 200
        response = await served.open(http)
    assert (response.status_code, served.shelf.opened) == (403, [])
    assert "read-only" in wrong(response)["message"]


BODIES = {
    "nothing": b"",
    "half": b'{"reason": ',
    "no text": b'{"reason": "\xff"}',
    "half a character": rb'{"reason": "\ud800"}',
    "a list": b'[{"reason": "x"}]',
    "no number": b'{"reason": "x", "times": NaN}',
    "endless": b'{"reason": "x", "times": 1e999}',
    "a huge number": b'{"reason": "x", "times": ' + b"9" * 6000 + b"}",
    "deep": b'{"reason": ' + b"[" * 20_000,
    "a reason that is a number": b'{"reason": 7}',
    "a long reason": json.dumps({"reason": "x" * 21}).encode(),
    "no reason": b'{"times": 1}',
}


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
async def test_a_body_that_does_not_fit_is_refused(served, content):
    headers = {HEADER: str(uuid4()), "Content-Type": "application/json"}
    async with served.http(**headers) as http:
        response = await http.post(OPEN.format(box="b1"), content=content)
    assert (response.status_code, wrong(response)["code"]) == (400, "VALIDATION_ERROR")
    assert served.shelf.opened == []


async def test_another_media_type_and_too_large_a_body_are_refused(served):
    async with served.http(**{HEADER: str(uuid4())}) as http:
        path = OPEN.format(box="b1")
        for media in ("text/plain", "application/x-www-form-urlencoded", ""):
            response = await http.post(path, content=b'{"reason": "x"}', headers={"Content-Type": media})
            assert (response.status_code, wrong(response)["code"]) == (400, "VALIDATION_ERROR")
        response = await http.post(path, json={"reason": "x", "padding": "x" * 100_000})
    assert (response.status_code, wrong(response)["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_what_is_not_known_in_a_body_is_ignored(served):
    async with served.http() as http:
        assert (await served.open(http, reason="x", colour="red")).status_code == 200


@pytest.mark.parametrize("query", ["deep=perhaps", "deep=1&deep=0", "deep=%ff"])
async def test_a_query_that_does_not_fit_is_refused(served, query):
    async with served.http() as http:
        response = await http.get(f"{BOX}?{query}")
    assert (response.status_code, wrong(response)["code"]) == (400, "VALIDATION_ERROR")


async def test_two_keys_are_none(served):
    key = str(uuid4())
    async with served.http() as http:
        for other in (key, str(uuid4())):
            headers = [(HEADER, key), (HEADER, other)]
            response = await http.post(OPEN.format(box="b1"), json={"reason": "x"}, headers=headers)
            assert (response.status_code, wrong(response)["details"]) == (400, {"header": HEADER})
            assert f"two {HEADER} headers" in wrong(response)["message"]
    assert served.shelf.opened == []


# Named, since tests that are spread over processes must have the same names in each.
OTHER_KEYS = {
    "none": "",
    "no uuid": "abc",
    "version 1": str(uuid1()),
    "no hyphens": uuid4().hex,
    "braces": "{" + str(uuid4()) + "}",
}


@pytest.mark.parametrize("key", OTHER_KEYS.values(), ids=OTHER_KEYS)
async def test_a_key_that_is_no_uuid_of_version_4_is_refused(served, key):
    async with served.http() as http:
        response = await http.post(OPEN.format(box="b1"), json={"reason": "x"}, headers={HEADER: key} if key else {})
    assert (response.status_code, wrong(response)["details"]) == (400, {"header": HEADER})
    assert served.shelf.opened == []


async def test_the_same_key_and_body_get_the_stored_answer_without_counting(served):
    key = str(uuid4())
    async with served.http() as http:
        first = await served.open(http, key, reason="x", times=2)
        again = [await served.open(http, spelled, times=2, reason="x") for spelled in (key, key.upper())]
        counted = await served.open(http)
    for response in again:
        assert (response.status_code, response.content) == (200, first.content)
        assert response.headers[REPLAYED] == "true"
        assert "x-ratelimit-remaining" not in response.headers
    assert (first.headers["x-ratelimit-remaining"], counted.headers["x-ratelimit-remaining"]) == ("4", "3")
    first_key, _ = (key for _, key in served.shelf.opened)
    assert first_key == key


async def test_the_same_key_with_another_body_is_refused(served):
    key = str(uuid4())
    async with served.http() as http:
        await served.open(http, key, reason="x")
        response = await served.open(http, key, reason="y")
    assert (response.status_code, wrong(response)["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(served.shelf.opened) == 1


async def test_a_key_belongs_to_one_user_and_item(tmp_path):
    key = str(uuid4())
    async with (
        native_service("embedded", tmp_path) as served,
        served.http() as jane,
        served.http("ops2@example.com") as other,
    ):
        answers = [await served.open(jane, key), await served.open(other, key), await served.open(jane, key, "b2")]
    assert [response.status_code for response in answers] == [200, 200, 200]
    assert not any(REPLAYED in response.headers for response in answers)


async def test_a_key_lives_for_a_day(served):
    key = str(uuid4())
    async with served.http() as http:
        await served.open(http, key)
        served.clock.forward(KEPT.total_seconds() - 60)
        assert REPLAYED in (await served.open(http, key)).headers
        served.clock.forward(60)
        assert REPLAYED not in (await served.open(http, key)).headers
    rows = sqlite3.connect(served.folder / "native.db").execute("SELECT count(*) FROM answer").fetchone()
    assert rows == (1,)


async def test_of_many_at_once_one_works_and_the_others_are_told_to_wait(served):
    key, served.shelf.gate = str(uuid4()), asyncio.Event()
    async with served.http() as http:
        first = asyncio.create_task(served.open(http, key))
        await served.shelf.entered.wait()
        others = await asyncio.gather(*(served.open(http, key) for _ in range(3)))
        served.clock.forward(LEASE.total_seconds() + 1)
        late = await served.open(http, key)
        served.shelf.gate.set()
        assert (await first).status_code == 200
        assert REPLAYED in (await served.open(http, key)).headers
    for response in (*others, late):
        assert (response.status_code, wrong(response)["code"]) == (409, "IDEMPOTENCY_KEY_IN_PROGRESS")
        assert response.headers["retry-after"] == "1"
    assert len(served.shelf.opened) == 1


async def test_a_service_that_died_after_the_effect_leaves_the_truth_to_the_system(tmp_path):
    """The first service stands still before it can store its answer; another one takes over when the lease is over."""
    key, shelf = str(uuid4()), Shelf(gate=asyncio.Event())
    async with native_service("embedded", tmp_path, shelf) as dying:
        async with dying.http() as http:
            asked = asyncio.create_task(dying.open(http, key))
            await shelf.entered.wait()
            shelf.opened.append(("b1", key))
            survivor = Shelf(opened=shelf.opened)
            async with native_service("embedded", tmp_path, survivor) as served, served.http() as again:
                waiting = await served.open(again, key)
                served.clock.forward(LEASE.total_seconds() + 1)
                settled = await served.open(again, key)
                replayed = await served.open(again, key)
            shelf.gate.set()
            await asked
        owners = sqlite3.connect(tmp_path / "native.db").execute("SELECT count(*), max(status) FROM answer").fetchone()
    assert waiting.status_code == 409
    assert (settled.status_code, settled.json()["opened"]) == (200, 1)
    assert replayed.content == settled.content
    assert shelf.opened == [("b1", key)]
    assert owners == (1, 200)


async def test_a_restart_forgets_no_answer(tmp_path):
    key = str(uuid4())
    async with native_service("embedded", tmp_path) as served, served.http() as http:
        first = await served.open(http, key)
    async with native_service("tcp", tmp_path) as served, served.http() as http:
        again = await served.open(http, key)
    assert (again.content, again.headers[REPLAYED], served.shelf.opened) == (first.content, "true", [])
    assert stat.S_IMODE((tmp_path / "native.db").stat().st_mode) == 0o600


FINAL = {
    "a state that is over": (Declined(400, "OVER", "the box is gone"), 400),
    "nothing there": (NotFound("there is no such box"), 404),
    "a value that does not fit": (UsageProblem("no"), 400),
    "a conflict that is said to be final": (Declined(409, "GONE", "for good", final=True), 409),
}
PASSING = {
    "a hold": (Declined(409, "HELD", "the box is held"), 409),
    "a conflict": (Conflict("not now"), 409),
    "no permission": (NotAllowed("you may not"), 403),
    "the system's limit": (RateLimited("slowly", retry_after=7.2), 429),
    "a lock": (Busy("/secret/path is held"), 503),
    "a full disk": (StorageFull("/secret/path"), 503),
    "a defect": (ZeroDivisionError("hunter2"), 500),
    "an answer that is open": (Declined(404, "LATER", "not yet", final=False), 404),
}


@pytest.mark.parametrize(("mood", "status"), FINAL.values(), ids=FINAL)
async def test_a_final_answer_is_kept(served, mood, status):
    key, served.shelf.mood = str(uuid4()), mood
    async with served.http() as http:
        first = await served.open(http, key)
        served.shelf.mood = None
        again = await served.open(http, key)
    assert (first.status_code, again.status_code) == (status, status)
    assert again.content == first.content
    assert again.headers[REPLAYED] == "true"


@pytest.mark.parametrize(("mood", "status"), PASSING.values(), ids=PASSING)
async def test_an_answer_that_may_change_is_not_kept(served, mood, status):
    key, served.shelf.mood = str(uuid4()), mood
    async with served.http() as http:
        first = await served.open(http, key)
        served.shelf.mood = None
        again = await served.open(http, key)
    assert (first.status_code, again.status_code) == (status, 200)
    assert not {"secret", "hunter2"} & set(wrong(first)["message"].split("/"))
    if status in (429, 503):
        assert first.headers["retry-after"] == ("8" if status == 429 else "1")


async def test_a_defect_is_logged_under_the_id_that_is_told_and_still_counts(served):
    served.shelf.mood = ZeroDivisionError("inside")
    async with served.http() as http:
        response = await http.get(BOX)
    told = wrong(response)
    assert (response.status_code, told["code"]) == (500, "INTERNAL_ERROR")
    assert response.headers["x-ratelimit-remaining"] == "99"
    assert told["request"] in (served.folder / "faults.log").read_text()
    assert "ZeroDivision" not in response.text


async def test_a_defect_after_the_effect_has_no_second_effect(served):
    key, served.shelf.mood, served.shelf.after_effect = str(uuid4()), ZeroDivisionError("late"), True
    async with served.http() as http:
        assert (await served.open(http, key)).status_code == 500
        served.shelf.mood = None
        assert (await served.open(http, key)).json()["opened"] == 1
    assert served.shelf.opened == [("b1", key)]


async def test_an_answer_that_cannot_be_kept_is_told_all_the_same(served, caplog, monkeypatch):
    async def full(*_):
        raise StorageFull("the disk is full")

    monkeypatch.setattr(served.native.answers, "keep", full)
    async with served.http() as http:
        assert (await served.open(http)).status_code == 200
    assert "could not be settled" in caplog.text


async def test_without_a_file_for_keys_nothing_is_changed(tmp_path):
    (tmp_path / "native.db").mkdir()
    async with native_service("embedded", tmp_path) as served, served.http() as http:
        response = await served.open(http)
        assert (response.status_code, wrong(response)["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert str(tmp_path) not in response.text
    assert served.shelf.opened == []


async def test_after_the_limit_the_same_key_succeeds(served):
    key = str(uuid4())
    async with served.http() as http:
        started = served.clock.now().timestamp()
        left = [(await served.open(http)).headers["x-ratelimit-remaining"] for _ in range(5)]
        over = await served.open(http, key)
        assert (over.status_code, wrong(over)["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        wait = int(over.headers["retry-after"])
        served.clock.forward(wait - 2)
        assert (await served.open(http, key)).status_code == 429
        served.clock.forward(2)
        assert (await served.open(http, key)).status_code == 200
    assert left == ["4", "3", "2", "1", "0"]
    assert (over.headers["x-ratelimit-limit"], over.headers["x-ratelimit-remaining"]) == ("5", "0")
    assert started + 59 < int(over.headers["x-ratelimit-reset"]) < started + 62
    assert 59 <= wait <= 60
    assert len(served.shelf.opened) == 6


async def test_each_user_and_each_bucket_counts_apart(served):
    async with served.http() as jane, served.http("ops2@example.com") as other:
        for _ in range(5):
            await served.open(jane)
        assert (await served.open(jane)).status_code == 429
        assert (await jane.get(BOX)).headers["x-ratelimit-remaining"] == "99"
        assert (await served.open(other)).headers["x-ratelimit-remaining"] == "4"


async def test_everything_that_is_authenticated_counts(served):
    path, key = OPEN.format(box="b1"), str(uuid4())
    async with served.http() as http:
        await served.open(http, key, reason="x")
        for asked in (
            served.open(http, key, reason="y"),
            http.post(path, content=b"{", headers={"Content-Type": "application/json"}),
            http.post(path, json={"reason": "x"}),
            http.post(path, json={"reason": "x"}, headers={"X-User-ID": "ops2@example.com"}),
        ):
            response = await asked
        assert (response.status_code, response.headers["x-ratelimit-remaining"]) == (403, "0")
        for path in ("/api/v2/crates", "/api/v2/", "/api/v2/boxes/%ff"):
            response = await http.get(path)
        assert response.headers["x-ratelimit-remaining"] == "97"
        assert (await served.open(http, key, reason="x")).headers[REPLAYED] == "true"
        assert (await served.open(http, key, reason="y")).status_code == 429


def moment(seconds):
    return datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=seconds)


def test_no_stretch_of_time_holds_more_than_the_limit():
    limiter, taken = Limiter({"open": Rate(5, timedelta(minutes=1))}), []
    for second in range(0, 300, 3):
        _, over = limiter.take("jane", "open", moment(second))
        if over is None:
            taken.append(second)
        else:
            assert 1 <= over.retry_after <= 60
    for start in taken:
        assert sum(start <= one < start + 60 for one in taken) <= 5
    assert len(taken) == 25


def test_waiting_as_long_as_told_is_enough():
    limiter = Limiter({"open": Rate(1, timedelta(seconds=1))})
    assert limiter.take("jane", "open", moment(0.9))[1] is None
    over = limiter.take("jane", "open", moment(1.2))[1]
    assert limiter.take("jane", "open", moment(1.2 + over.retry_after))[1] is None


def test_a_clock_that_is_put_back_locks_nobody_out():
    limiter = Limiter({"open": Rate(1, timedelta(minutes=1))})
    assert limiter.take("jane", "open", moment(7200))[1] is None
    assert limiter.take("jane", "open", moment(0))[1] is None
    assert limiter.take("jane", "open", moment(1))[1] is not None


def test_users_of_long_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr("tui_app.service.native.limits.MOST_WINDOWS", 100)
    limiter = Limiter({"open": Rate(5, timedelta(minutes=1))})
    for number in range(1000):
        limiter.take(f"user{number}", "open", moment(number))
    assert len(limiter._windows) <= 101
    assert limiter.take("jane", "other", moment(0)) == (None, None)


async def test_a_claim_that_was_taken_over_keeps_nothing(tmp_path):
    scope, late, taking = Scope("jane", "open", "b1", str(uuid4())), Answers(tmp_path / "a"), Answers(tmp_path / "a")
    old = await late.claim(scope, "hash", moment(0))
    new = await taking.claim(scope, "hash", moment(LEASE.total_seconds()))
    assert isinstance(new, Claim)
    await taking.keep(new, Kept(200, b"new"))
    await late.keep(old, Kept(200, b"old"))
    await late.release(old)
    assert await late.claim(scope, "hash", moment(60)) == Kept(200, b"new")
    for answers in (late, taking):
        await answers.close()
