"""Who may ask on a socket: a token that holds, and for changes one with the permission."""

import base64
import hashlib
import hmac
import json
import stat
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from support.backend import KEY, listening, make_backend, serving, token
from support.world import make_world
from tui_app.client.backend import BackendClient
from tui_app.client.transport import BASE_URL, EmbeddedTransport, tcp_transport
from tui_app.contract.plans import PlanRequest, SelectionModel
from tui_app.contract.principal import OPERATE, Principal
from tui_app.contract.runs import RunRequest
from tui_app.domain.errors import CannotConnect, NotAllowed, NotSignedIn, UsageProblem
from tui_app.service.app import ROUTES, create_app
from tui_app.service.auth import LEEWAY, Authenticator, issue_token, keep_token, signing_key

PUBLIC = b"-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK\n-----END PUBLIC KEY-----\n"


def claims(**changed):
    now = datetime.now(UTC)
    made = {"sub": "jane", "principal_id": "jane", "permissions": [], "exp": now + timedelta(hours=1), **changed}
    return {name: value for name, value in made.items() if value is not None}


def signed(key=KEY, algorithm="HS256", headers=None, **changed):
    return jwt.encode(claims(**changed), key, algorithm, headers=headers)


def ago(**time):
    return datetime.now(UTC) - timedelta(**time)


def segments(*parts):
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def forged(header, key):
    """A token signed with HMAC over whatever key; libraries refuse to make some of these."""
    body = segments(json.dumps(header).encode(), json.dumps({**claims(exp=4_000_000_000)}).encode())
    return f"{body}.{segments(hmac.digest(key, body.encode(), hashlib.sha256))}"


HOLDS = {
    "as issued": lambda: token("jane"),
    "sub alone": lambda: signed(principal_id=None),
    "principal_id alone": lambda: signed(sub=None),
    "a little late": lambda: signed(exp=ago(seconds=LEEWAY.total_seconds() - 10)),
    "an audience nobody asked for": lambda: signed(aud="elsewhere"),
    "no permissions at all": lambda: signed(permissions=None),
}

BAD = {
    "a head of thousands of levels": (lambda: segments(b"[" * 3_000 + b"]" * 3_000, b"{}", b"x"), "no JSON"),
    "a head that is no UTF-8": (lambda: segments(b'{"kid": "\xff"}', b"{}", b"x"), "no JSON"),
    "claims with a number of thousands of digits": (
        lambda: segments(b'{"alg": "HS256"}', b'{"exp": ' + b"7" * 5_000 + b"}", b"x"),
        "no JSON",
    ),
    "an end that is no moment": (lambda: signed(exp=10**18), "exp is no moment"),
    "a beginning that is no moment": (lambda: signed(nbf=10**15), "nbf is no moment"),
    "issued at no moment": (lambda: signed(iat=-(10**15)), "iat is no moment"),
    "expired": (lambda: signed(exp=ago(seconds=90)), "expired"),
    "never expires": (lambda: signed(exp=None), "exp"),
    "not yet valid": (lambda: signed(nbf=ago(seconds=-90)), "not yet"),
    "issued in the future": (lambda: signed(iat=ago(seconds=-90)), "not yet"),
    "a key that is very long": (lambda: signed(headers={"kid": "k" * 5000}), "key"),
    "a key that is an address": (lambda: signed(headers={"kid": "https://evil.example.com/jwks.json"}), "key"),
    "keys that it brings along": (
        lambda: signed(key=b"x" * 32, headers={"jku": "https://evil.example.com/"}),
        "ignature",
    ),
    "unsigned": (
        lambda: segments(b'{"alg":"none","typ":"JWT"}', json.dumps(claims(exp=4_000_000_000)).encode()) + ".",
        "",
    ),
    "another key": (lambda: signed(key=b"x" * 32), "ignature"),
    "another algorithm": (lambda: signed(key=KEY * 2, algorithm="HS512"), "alg"),
    "taken for RS256": (lambda: forged({"alg": "RS256", "typ": "JWT"}, KEY), "alg"),
    "signed with a public key": (lambda: forged({"alg": "HS256", "typ": "JWT"}, PUBLIC), "ignature"),
    "a key that is not here": (lambda: signed(headers={"kid": "other"}), "key"),
    "a key that is a path": (lambda: signed(headers={"kid": "../../dev/null"}), "key"),
    "a key that is no text": (lambda: forged({"alg": "HS256", "kid": 7}, KEY), ""),
    "nobody": (lambda: signed(sub=None, principal_id=None), "nobody"),
    "a name that is a number": (lambda: signed(principal_id=7), "nobody"),
    "a subject that is a number": (lambda: signed(sub=7), "does not hold"),
    "a header without end": (lambda: segments(b"[" * 5000, b"{}", b""), "does not hold"),
    "an expiry that is none": (lambda: signed(exp=float("inf")), "does not hold"),
    "critical and not known": (lambda: signed(headers={"crit": ["x"], "x": 1}), "does not hold"),
    "an empty name": (lambda: signed(principal_id=""), "nobody"),
    "a name with escapes": (lambda: signed(principal_id="jane\x1b[2J"), "nobody"),
    "a long name": (lambda: signed(principal_id="j" * 300), "nobody"),
    "permissions as a text": (lambda: signed(permissions="operate"), "permissions"),
    "permissions that are numbers": (lambda: signed(permissions=[1]), "permissions"),
    "changed": (lambda: token("jane")[:-2] + "AA", "ignature"),
    "no token at all": (lambda: "nonsense", ""),
    "too long": (lambda: signed(extra="x" * 10_000), "too long"),
}


@pytest.fixture
async def service(tmp_path):
    async with serving("tcp", tmp_path, rows=3) as running:
        yield running


async def ask(service, header=None, path="/v1"):
    headers = {} if header is None else {"Authorization": header}
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as http:
        return await http.get(path, headers=headers)


@pytest.mark.parametrize("made", HOLDS.values(), ids=HOLDS)
async def test_a_token_that_holds_is_believed(service, made):
    response = await ask(service, f"Bearer {made()}")
    assert (response.status_code, response.json()["operator"]) == (200, "jane")


@pytest.mark.parametrize(("made", "why"), BAD.values(), ids=BAD)
async def test_a_token_that_does_not_hold_is_refused_with_why(service, made, why):
    secret = made()
    response = await ask(service, f"Bearer {secret}")
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    problem = response.json()
    assert problem["code"] == "UNAUTHORIZED"
    assert why in problem["detail"]
    assert secret not in response.text


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic amFuZTp4", "bearer"])
async def test_without_a_token_nothing_is_answered(service, header):
    response = await ask(service, header)
    assert (response.status_code, response.json()["code"]) == (401, "UNAUTHORIZED")


async def test_two_headers_are_none(service):
    headers = [("Authorization", f"Bearer {token()}"), ("Authorization", f"Bearer {token('eve')}")]
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as http:
        assert (await http.get("/v1", headers=headers)).status_code == 401


async def test_every_route_wants_a_token_and_so_does_what_is_no_route(service):
    filled = [one.path.format(system="commands", item="a%2Fb", plan="p1", run="r1") for one in ROUTES]
    asked = [*zip((one.method for one in ROUTES), filled, strict=True), ("GET", "/"), ("GET", "/docs"), ("PUT", "/v1")]
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as http:
        codes = {(method, path): (await http.request(method, path)).status_code for method, path in asked}
    assert set(codes.values()) == {401}, codes


async def test_a_scope_that_names_a_principal_is_not_believed_on_a_socket(tmp_path):
    world = make_world(tmp_path)
    with_tokens = create_app(make_backend(world, Authenticator({"": KEY})))
    transport = EmbeddedTransport(with_tokens, principal=Principal("jane", unlimited=True))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
        assert (await http.get("/v1")).status_code == 401


async def test_an_app_for_this_process_answers_nobody_on_a_socket(tmp_path):
    async with listening(create_app(make_backend(make_world(tmp_path)))) as url:
        for headers in ({}, {"Authorization": f"Bearer {token()}"}):
            async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
                assert (await http.get("/v1", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("claimed", "believed"),
    [
        ({"aud": "quash", "iss": "us"}, True),
        ({"aud": ["x", "quash"], "iss": "us"}, True),
        ({"aud": "other", "iss": "us"}, False),
        ({"iss": "us"}, False),
        ({"aud": "quash", "iss": "them"}, False),
        ({"aud": "quash"}, False),
    ],
)
def test_an_audience_and_an_issuer_are_held_to_where_configured(claimed, believed):
    checks = Authenticator({"": KEY}, audience="quash", issuer="us")
    if believed:
        assert checks.read(signed(**claimed)).name == "jane"
    else:
        with pytest.raises(NotSignedIn):
            checks.read(signed(**claimed))


def test_keys_are_looked_up_by_their_exact_name():
    checks = Authenticator({"a": KEY, "b": b"b" * 32})
    assert checks.read(signed(headers={"kid": "a"})).name == "jane"
    for kid in ("b", "A", "a ", ""):
        with pytest.raises(NotSignedIn):
            checks.read(signed(headers={"kid": kid}))
    with pytest.raises(NotSignedIn):
        checks.read(signed())


def test_what_is_issued_says_what_was_asked_for():
    now = datetime.now(UTC)
    made = issue_token(KEY, "bot", now=now, permissions=["operate", "cancel_case"], service_account=True, issuer="us")
    principal = Authenticator({"": KEY}, issuer="us").read(made)
    assert (principal.name, principal.permissions) == ("bot", frozenset({"operate", "cancel_case"}))
    assert (principal.service_account, principal.unlimited) == (True, False)
    assert principal.may("operate")
    assert not principal.may("cancel_schedule")


@pytest.mark.parametrize("wrong", [{"user": ""}, {"user": "a\nb"}, {"ttl": timedelta(0)}])
def test_a_token_that_could_not_be_used_is_not_issued(wrong):
    with pytest.raises(UsageProblem):
        issue_token(KEY, **{"user": "jane", "now": datetime.now(UTC), **wrong})


async def _planned(client):
    selection = SelectionModel(system="commands", filter="status:IN_TROUBLESHOOTING_QUEUE")
    return await client.plan(PlanRequest(selections=[selection]))


async def test_who_may_only_read_may_plan_and_not_confirm(backend):
    reader = backend.client_of("eve", "cancel_case")
    plan = await _planned(reader)
    assert plan.operator == "eve"
    confirmed = RunRequest(hash=plan.hash, reason="duplicate request", expect_count=plan.counts.items)
    with pytest.raises(NotAllowed, match="operate") as caught:
        await reader.run(plan.id, confirmed, "k1")
    assert caught.value.details == {"permission": "operate"}
    assert await backend.client.runs.list() == []
    lines = (await backend.client.ledger.page()).lines
    assert [(line.event, line.operator, line.code) for line in lines] == [
        ("planned", "eve", None), ("refused", "eve", "FORBIDDEN")]  # fmt: skip
    await reader.close()


async def test_who_may_only_read_may_not_steer(backend):
    plan = await _planned(backend.client)
    confirmed = RunRequest(hash=plan.hash, reason="duplicate request", expect_count=plan.counts.items)
    run = await backend.client.run(plan.id, confirmed, "k1")
    reader = backend.client_of("eve")
    steering = reader.runs
    for change in (steering.pause, steering.resume, steering.stop, steering.verify):
        with pytest.raises(NotAllowed):
            await change(run.id)
    assert (await steering.get(run.id)) == run
    await reader.close()


async def test_the_permission_is_enough(backend):
    bot = backend.client_of("bot", OPERATE)
    plan = await _planned(bot)
    confirmed = RunRequest(hash=plan.hash, reason="duplicate request", expect_count=plan.counts.items)
    assert (await bot.run(plan.id, confirmed, "k1")).operator == "bot"
    await bot.close()


async def test_a_client_without_a_token_is_told_what_to_do(service):
    client = BackendClient(service.url, tcp_transport(service.url))
    with pytest.raises(NotSignedIn, match="token") as caught:
        await client.about()
    assert "quash token" in caught.value.hint
    await client.close()


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "state" / "service.key"
    key = signing_key(path)
    assert len(key) == 32
    assert signing_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["service.key"]


def test_of_two_that_make_the_key_at_once_both_get_the_same(tmp_path, monkeypatch):
    path = tmp_path / "service.key"
    path.write_text("ab" * 32)
    path.chmod(0o600)
    seen = iter([False, True])
    monkeypatch.setattr(type(path), "exists", lambda _: next(seen))
    assert signing_key(path) == bytes.fromhex("ab" * 32)


@pytest.mark.parametrize(
    ("content", "mode"), [("ab" * 32, 0o640), ("ab" * 32, 0o604), ("short", 0o600), ("ab" * 31, 0o600)]
)
def test_a_key_that_others_may_have_read_or_that_is_none_is_refused(tmp_path, content, mode):
    path = tmp_path / "service.key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(CannotConnect, match=r"service\.key"):
        signing_key(path)


def test_a_key_behind_a_link_is_refused(tmp_path):
    (tmp_path / "real").write_text("ab" * 32)
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "service.key").symlink_to(tmp_path / "real")
    with pytest.raises(CannotConnect):
        signing_key(tmp_path / "service.key")


def test_a_token_is_left_for_its_owner_alone(tmp_path):
    path = tmp_path / "token"
    path.write_text("old and open to all")
    path.chmod(0o644)
    assert keep_token(path, "abc") == path
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("abc\n", 0o600)


def test_a_token_that_cannot_be_left_says_where(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotConnect, match="file"):
        keep_token(tmp_path / "file" / "token", "abc")
