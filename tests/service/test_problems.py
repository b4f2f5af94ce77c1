"""Errors between service and client: every code there and back, and HTTP that no client of ours would send."""

import asyncio
import json
import stat

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.backend import serving, token
from support.world import make_world
from tui_app.client.backend import BackendClient
from tui_app.client.channel import MAX_BODY
from tui_app.client.transport import BASE_URL, EmbeddedTransport
from tui_app.contract.plans import PlanRequest, SelectionModel
from tui_app.contract.principal import Principal
from tui_app.contract.problems import MEDIA_TYPE, STATUS, Problem, from_problem, to_problem
from tui_app.domain.errors import (
    BY_CODE,
    CannotConnect,
    Fault,
    OutcomeUnknown,
    QuashError,
    RateLimited,
    Refused,
    Unavailable,
    UsageProblem,
)
from tui_app.engine.faults import without_secrets
from tui_app.outbound.recognition import Unrecognised

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def test_every_code_has_a_status():
    assert STATUS.keys() == BY_CODE.keys()


@given(
    kind=st.sampled_from(sorted(BY_CODE.values(), key=lambda one: one.code)),
    message=TEXTS,
    hint=st.none() | TEXTS,
    details=st.dictionaries(TEXTS | st.sampled_from(["message", "hint", "retry_after", "self"]), JSON, max_size=4),
    wait=st.none() | st.floats(0, 1e6),
)
def test_an_error_comes_back_as_it_was(kind, message, hint, details, wait):
    error = kind(message, hint=hint)
    error.details = details
    if isinstance(error, Unavailable):
        error.retry_after = wait
    wire = to_problem(error, "abc").model_dump_json()
    back = from_problem(Problem.model_validate_json(wire))
    assert type(back) is kind
    assert (back.message, back.hint, back.details) == (error.message, error.hint, error.details)
    assert getattr(back, "retry_after", None) == getattr(error, "retry_after", None)
    assert json.loads(wire)["status"] == STATUS[kind.code]


@pytest.mark.parametrize(
    ("status", "family"), [(400, Refused), (404, Refused), (500, Fault), (502, Unavailable), (503, Unavailable)]
)
def test_a_code_of_a_newer_service_keeps_its_family(status, family):
    problem = Problem(type="t", title="t", status=status, detail="new", code="BRAND_NEW")
    assert type(from_problem(problem)) is family


class Failing:
    """A system of which everything fails in one way."""

    def __init__(self, inner, error):
        self._inner, self._error = inner, error

    @property
    def description(self):
        return self._inner.description

    def check_id(self, text):
        return text

    async def fail(self, *_, **__):
        raise self._error

    page = count = item = preview = trail = survey = identity = fail

    async def close(self):
        await self._inner.close()


@pytest.fixture(params=["embedded", "tcp"])
async def failing(request, tmp_path):
    """A service whose only system fails with whatever is put into the list."""
    world = make_world(tmp_path)
    commands = Failing(world.systems["commands"], Fault("not set"))
    world.systems["commands"] = commands
    async with serving(request.param, tmp_path, world=world) as running:
        yield running, commands


@pytest.mark.parametrize("code", sorted(BY_CODE))
async def test_every_code_reaches_the_client(failing, code):
    service, commands = failing
    commands._error = BY_CODE[code]("what is in the way", hint="what to do", fact=1)
    with pytest.raises(QuashError) as caught:
        await service.client.items.get("commands", "a/b")
    assert type(caught.value) is BY_CODE[code]
    assert (caught.value.message, caught.value.hint, caught.value.details) == (
        "what is in the way", "what to do", {"fact": 1})  # fmt: skip
    async with service.raw() as http:
        response = await http.get("/v1/systems/commands/items/a%2Fb")
    assert (response.status_code, response.headers["content-type"]) == (STATUS[code], MEDIA_TYPE)


async def test_a_wait_is_told_in_the_header_too(failing):
    service, commands = failing
    commands._error = RateLimited("too many", retry_after=1.2)
    async with service.raw() as http:
        response = await http.get("/v1/systems/commands/items/a%2Fb")
    assert (response.status_code, response.headers["retry-after"], response.json()["retry_after"]) == (429, "2", 1.2)
    with pytest.raises(RateLimited) as caught:
        await service.client.items.get("commands", "a/b")
    assert caught.value.retry_after == 1.2


async def test_a_defect_has_an_id_and_is_written_down_without_values(failing):
    service, commands = failing
    secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl"

    def broken(*_, password="hunter2"):
        raise ZeroDivisionError(f"with Bearer {secret} and postgresql://jane:{password}@db/x")

    commands.item = broken
    with pytest.raises(Fault) as caught:
        await service.client.items.get("commands", "a/b")
    log = service.world.folder / "faults.log"
    written = log.read_text()
    assert caught.value.details["id"] in caught.value.message
    assert caught.value.details["id"] in written
    assert str(log) in caught.value.hint
    assert "ZeroDivisionError" in written
    assert "test_problems.py" in written
    assert secret not in written
    assert "hunter2@" not in written
    assert "ZeroDivision" not in caught.value.message
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


async def test_a_defect_that_cannot_be_written_down_goes_to_the_log_of_the_process(failing, caplog):
    service, commands = failing
    (service.world.folder / "faults.log").mkdir()
    commands.item = None
    with pytest.raises(Fault, match="broke") as caught:
        await service.client.items.get("commands", "a/b")
    assert caught.value.details["id"] in caplog.text
    assert "TypeError" in caplog.text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("postgresql://jane:s3cret@db:5432/x", "postgresql://jane:***@db:5432/x"),
        ("host=db password=s3cret user=jane", "host=db password=*** user=jane"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_taken_out(text, kept):
    assert without_secrets(text) == kept


def plan_body(**changed):
    return {"selections": [{"system": "commands", "ids": ["a/b"]}], **changed}


BAD_BODIES = {
    "no selection": ({}, "selections"),
    "none of them": ({"selections": []}, "selections"),
    "a system that is none": ({"selections": [{"system": 7, "ids": []}]}, "selections.0.system"),
    "ids that are numbers": ({"selections": [{"system": "commands", "ids": [1]}]}, "selections.0.ids.0"),
    "an unknown verb": (plan_body(verb="delete"), "verb"),
    "no time to live": (plan_body(ttl=0), "ttl"),
    "a reason that is a list": (plan_body(reason=["x"]), "reason"),
    "not an object": ([], "body"),
}


@pytest.mark.parametrize(("body", "field"), BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_body_that_does_not_fit_names_the_field(backend, body, field):
    async with backend.raw() as http:
        response = await http.post("/v1/plans", json=body)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "USAGE")
    assert problem["detail"].startswith(f"{field}: ")
    assert problem["details"]["fields"][0] == field
    assert await backend.client.plans.list() == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"selections": [{"system": "commands", "ids": ["a/\\ud800"]}]}']
)
async def test_a_body_that_is_no_json_is_refused(backend, content):
    async with backend.raw() as http:
        response = await http.post("/v1/plans", content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (400, "USAGE")


@pytest.mark.parametrize("media", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonl"])
async def test_another_media_type_is_refused(backend, media):
    headers = {} if media is None else {"Content-Type": media}
    async with backend.raw() as http:
        response = await http.post("/v1/plans", content=json.dumps(plan_body()), headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, "USAGE")
    assert "application/json" in response.json()["detail"]


async def test_a_media_type_may_name_its_characters(backend):
    async with backend.raw() as http:
        headers = {"Content-Type": "Application/JSON; charset=utf-8"}
        response = await http.post("/v1/plans", content=json.dumps(plan_body()), headers=headers)
    assert response.status_code == 202


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in pieces"])
async def test_a_body_that_is_too_large_is_refused(backend, declared):
    padded = json.dumps({"hash": "x" * (1024 * 1024), "reason": "duplicate"}).encode()

    async def pieces():
        for start in range(0, len(padded), 65536):
            yield padded[start : start + 65536]

    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    async with backend.raw() as http:
        response = await http.post("/v1/plans/p1/runs", content=padded if declared else pieces(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "USAGE")
    assert "1,048,576" in response.json()["detail"]


async def test_a_long_list_of_ids_is_not_too_large(backend):
    ids = [f"payments/{'x' * 100}{number:06}" for number in range(20_000)]
    plan = await backend.client.plan(PlanRequest(selections=[SelectionModel(system="commands", ids=ids)]))
    assert (plan.counts.items, plan.counts.blocked) == (20_000, 20_000)


async def test_a_body_that_never_comes_is_given_up(backend, monkeypatch):
    monkeypatch.setattr("tui_app.service.requests.BODY_SECONDS", 0.02)

    async def never():
        yield b"{"
        await asyncio.Event().wait()

    if backend.way == "embedded":
        async with backend.raw() as http:
            response = await http.post("/v1/plans", content=never(), headers={"Content-Type": "application/json"})
        assert response.status_code == 408
        return
    # By hand, since httpx reads no answer before it has sent its request.
    url = httpx.URL(backend.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST /v1/plans HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{{".encode())
    assert (await reader.readline()).split()[1] == b"408"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("key", [None, "", "x" * 201, "tab\tbed"])
async def test_confirming_needs_an_idempotency_key(backend, key):
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Idempotency-Key": key})
    async with backend.raw() as http:
        body = json.dumps({"hash": "x", "reason": "duplicate"})
        response = await http.post("/v1/plans/p1/runs", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "USAGE")
    assert response.json()["detail"].startswith("Idempotency-Key")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=many", "limit"),
        ("filtre=x", "filtre"),
        ("limit=1&limit=2", "limit"),
        ("count=perhaps", "count"),
        ("filter=%ff", "query"),
        ("&".join(f"a{number}=1" for number in range(60)), "query"),
    ],
)
async def test_a_query_that_does_not_fit_is_refused(backend, query, names):
    async with backend.raw() as http:
        response = await http.get(f"/v1/systems/commands/items?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "USAGE")
    assert names in response.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/", "/v2", "/v1/", "/v1/systems", "/v1/systems/commands/items/a/b", "/v1%2Fplans", "/docs"]
)
async def test_an_unknown_route_is_not_found(backend, path):
    async with backend.raw() as http:
        response = await http.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
    assert "openapi" in response.json()["hint"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/plans", "GET, POST"),
        ("POST", "/v1", "GET"),
        ("HEAD", "/v1", "GET"),
        ("PUT", "/v1/plans/import", "GET, POST"),
    ],
)
async def test_another_method_is_refused_with_what_is_allowed(backend, method, path, allowed):
    async with backend.raw() as http:
        response = await http.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/v1/systems/commands/items/%ff%fe", "/v1/plans/%ff"])
async def test_a_path_that_is_no_text_is_refused(backend, path):
    async with backend.raw() as http:
        response = await http.get(path)
    assert (response.status_code, response.json()["code"]) == (400, "USAGE")


async def test_answers_are_kept_by_nobody(backend):
    async with backend.raw() as http:
        for path in ("/v1", "/v1/openapi.json", "/nowhere"):
            assert (await http.get(path)).headers["cache-control"] == "no-store"


def answering(response):
    return BackendClient("https://ops.example.com", httpx.MockTransport(response), token="abc", origin="ops")


READ = ("the first page", lambda client: client.runs.list())
CHANGE = ("a pause", lambda client: client.runs.pause("r1"))
PLANNED = PlanRequest(selections=[SelectionModel(system="commands", ids=["payments/a"])])
HARMLESS = {
    "ids": lambda client: client.items.check_ids("commands", ["payments/a"]),
    "plan": lambda client: client.plans.start(PLANNED),
    "plan again": lambda client: client.plans.check("p1"),
    "plan file": lambda client: client.plans.load(b"{}"),
    "retry": lambda client: client.runs.retry("r1"),
    "undo": lambda client: client.runs.undo("r1"),
    "verify": lambda client: client.runs.verify("r1"),
}


@pytest.mark.parametrize(("_", "ask", "error"), [(*READ, Unrecognised), (*CHANGE, OutcomeUnknown)])
@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b'{"runs": [{}]}', b"\xff"], ids=["html", "nothing", "list", "empty", "bytes"]
)
async def test_an_answer_that_does_not_fit_is_not_believed(_, ask, error, body):
    client = answering(lambda request: httpx.Response(200, content=body))
    with pytest.raises(error, match="ops"):
        await ask(client)


@pytest.mark.parametrize(
    ("status", "ask", "error"),
    [
        (302, READ[1], Unrecognised),
        (302, CHANGE[1], OutcomeUnknown),
        (404, CHANGE[1], OutcomeUnknown),
        (502, READ[1], Unrecognised),
        (502, CHANGE[1], OutcomeUnknown),
        (504, CHANGE[1], OutcomeUnknown),
    ],
)
async def test_an_answer_of_something_in_between_is_told_apart(status, ask, error):
    asked = []

    def response(request):
        asked.append(str(request.url))
        return httpx.Response(status, headers={"Location": "https://elsewhere.example.com"}, content=b"<html>")

    with pytest.raises(error, match=str(status)):
        await ask(answering(response))
    assert len(asked) == 1


@pytest.mark.parametrize(("ask", "error"), [(READ[1], Unrecognised), (CHANGE[1], OutcomeUnknown)])
async def test_a_problem_that_cannot_be_read_is_not_believed(ask, error):
    client = answering(lambda _: httpx.Response(409, headers={"Content-Type": MEDIA_TYPE}, content=b'{"code": 7}'))
    with pytest.raises(error):
        await ask(client)


FAILURES = [
    (httpx.ConnectError, CannotConnect, CannotConnect),
    (httpx.ConnectTimeout, CannotConnect, CannotConnect),
    (httpx.PoolTimeout, CannotConnect, CannotConnect),
    (httpx.UnsupportedProtocol, CannotConnect, CannotConnect),
    (httpx.ReadTimeout, Unavailable, OutcomeUnknown),
    (httpx.WriteTimeout, Unavailable, OutcomeUnknown),
    (httpx.ReadError, Unavailable, OutcomeUnknown),
    (httpx.WriteError, Unavailable, OutcomeUnknown),
    (httpx.RemoteProtocolError, Unavailable, OutcomeUnknown),
]


@pytest.mark.parametrize(("failure", "reading", "changing"), FAILURES)
async def test_only_what_was_never_sent_counts_as_not_sent(failure, reading, changing):
    def response(request):
        raise failure("broken", request=request)

    for ask, error in ((READ[1], reading), (CHANGE[1], changing)):
        with pytest.raises(QuashError) as caught:
            await ask(answering(response))
        assert type(caught.value) is error


@pytest.mark.parametrize("ask", HARMLESS.values(), ids=HARMLESS)
async def test_what_sends_nothing_to_a_system_can_simply_be_asked_again(ask):
    def silent(request):
        raise httpx.ReadTimeout("broken", request=request)

    with pytest.raises(QuashError) as caught:
        await ask(answering(silent))
    assert type(caught.value) is Unavailable
    assert caught.value.hint == "Nothing was sent; try again."
    for status in (200, 302, 502):
        with pytest.raises(Unrecognised, match="ops"):
            await ask(answering(lambda _, status=status: httpx.Response(status, content=b"<html>")))


@pytest.mark.parametrize("steer", ["pause", "resume", "stop"])
async def test_a_run_that_may_have_been_steered_is_to_be_looked_at(steer):
    def silent(request):
        raise httpx.ReadTimeout("broken", request=request)

    with pytest.raises(OutcomeUnknown) as caught:
        await getattr(answering(silent).runs, steer)("r1")
    assert "look at the run" in caught.value.hint


async def test_a_compressed_answer_is_refused_unread():
    def response(request):
        assert request.headers["accept-encoding"] == "identity"
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b"))

    with pytest.raises(Unavailable, match="compressed"):
        await answering(response).about()


async def test_an_endless_answer_is_cut_off():
    read = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):
            nonlocal read
            while True:
                read += 1024 * 1024
                yield bytes(1024 * 1024)

    with pytest.raises(Unavailable, match="more than"):
        await answering(lambda _: httpx.Response(200, stream=Endless())).about()
    assert read <= MAX_BODY + 2 * 1024 * 1024


async def test_an_answer_that_never_ends_is_given_up(monkeypatch):
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b" "
            await asyncio.Event().wait()

    client = answering(lambda _: httpx.Response(200, stream=Endless()))
    monkeypatch.setattr(client._channel._line, "_connect", 0.01)
    with pytest.raises(Unavailable):
        await client._channel.send("GET", "/v1", patience=0.01)
    with pytest.raises(OutcomeUnknown):
        await client._channel.send("POST", "/v1", patience=0.01)


async def test_half_characters_are_never_sent(backend):
    selection = SelectionModel(system="commands", ids=["payments/\udcff"])
    with pytest.raises(UsageProblem, match="half"):
        await backend.client.plans.start(PlanRequest(selections=[selection]))
    with pytest.raises(UsageProblem, match="half"):
        await backend.client.items.page("commands", filter="\udcff")
    assert await backend.client.plans.list() == []


async def test_a_service_that_cannot_start_says_so():
    async def app(scope, receive, send):
        raise RuntimeError("no disk")

    client = BackendClient(BASE_URL, EmbeddedTransport(app, principal=Principal("jane")), origin="the demo")
    with pytest.raises(CannotConnect, match=r"the demo does not answer: .*no disk"):
        await client.about()
    await client.close()


@pytest.mark.parametrize("odd", ["7" * 5_000, "[" * 3_000 + "]" * 3_000, "NaN", '"\\ud800"', "1e999"])
async def test_json_beyond_every_limit_is_a_request_that_is_refused(failing, odd):
    service, _ = failing
    async with service.raw() as http:
        for path in ("/v1/plans", "/v1/plans/p1/runs"):
            body = f'{{"reason": {odd}, "selections": {odd}, "plan_hash": {odd}}}'.encode()
            headers = {"Content-Type": "application/json", "Idempotency-Key": "k1"}
            response = await http.post(path, content=body, headers=headers)
            assert response.status_code in (400, 422), response.text
            response.json()
