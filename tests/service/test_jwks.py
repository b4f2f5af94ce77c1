"""Tokens of other issuers: each key for its own algorithm, found by its exact name, in a file that may change."""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.backend import KEY, listening, make_backend
from support.benches import Given
from support.native_cases import BACK, WISH, served_cases
from support.world import make_world
from tui_app.domain.errors import NotSignedIn, Unavailable, UsageProblem
from tui_app.service.app import create_app
from tui_app.service.auth import Authenticator
from tui_app.service.jwks import JwksFile

US, THEM = "quash", "https://login.example.com"


@cache
def private(kind: str):
    return {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "other rsa": lambda: rsa.generate_private_key(65537, 2048),
        "weak rsa": lambda: rsa.generate_private_key(65537, 1024),
        "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed": ed25519.Ed25519PrivateKey.generate,
    }[kind]()


def public(kind: str, kid: str | None, **more):
    algorithm = {"ec": "ES256", "p384": "ES384", "ed": "EdDSA"}.get(kind, "RS256")
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(private(kind).public_key(), as_dict=True)
    made.pop("key_ops", None)
    return made | ({} if kid is None else {"kid": kid}) | more


def claims(**changed):
    made = {"sub": "jane", "aud": US, "iss": THEM, "exp": datetime.now(UTC) + timedelta(hours=1), **changed}
    return {name: value for name, value in made.items() if value is not None}


def signed(kind="rsa", kid="r1", algorithm=None, key=None, **changed):
    algorithm = algorithm or {"ec": "ES256", "p384": "ES384", "ed": "EdDSA"}.get(kind, "RS256")
    return jwt.encode(claims(**changed), key or private(kind), algorithm, headers={"kid": kid} if kid else None)


def forged(header, key):
    """A token under whatever header, signed with HMAC over whatever key."""
    parts = (json.dumps(header).encode(), json.dumps(claims(exp=4_000_000_000)).encode())
    body = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    end = hmac.digest(key, body.encode(), hashlib.sha256) if key else b""
    return f"{body}.{base64.urlsafe_b64encode(end).decode().rstrip('=')}"


def pem(kind="rsa", form=PublicFormat.SubjectPublicKeyInfo, encoding=Encoding.PEM):
    return private(kind).public_key().public_bytes(encoding, form)


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "jwks.json"
    write(made, public("rsa", "r1"), public("ec", "e1", alg="ES256", use="sig", key_ops=["verify"]))
    return made


def write(path, *keys):
    path.write_text(json.dumps({"keys": keys}), encoding="utf-8")


@pytest.fixture
def checks(path):
    return Authenticator({"": KEY}, US, THEM, JwksFile(path))


@pytest.mark.parametrize(("kind", "kid"), [("rsa", "r1"), ("ec", "e1")])
def test_a_token_of_another_issuer_is_believed(checks, kind, kid):
    assert checks.read(signed(kind, kid, permissions=["operate"])).may("operate")


def test_tokens_of_ours_are_believed_beside_them(checks):
    assert checks.read(signed(kid=None, algorithm="HS256", key=KEY)).name == "jane"


BAD = {
    "unsigned": lambda: forged({"alg": "none", "kid": "r1"}, None),
    "unsigned, in other letters": lambda: forged({"alg": "nOnE", "kid": "r1"}, None),
    "another key": lambda: signed("other rsa"),
    "HMAC over the public key": lambda: forged({"alg": "HS256", "kid": "r1"}, pem()),
    "HMAC over the public key, otherwise written": lambda: forged(
        {"alg": "HS256", "kid": "r1"}, pem(encoding=Encoding.DER)
    ),
    "HMAC over the public key, without a name": lambda: forged({"alg": "HS256"}, pem()),
    "HMAC with our key under the name of theirs": lambda: signed(algorithm="HS256", key=KEY),
    "RSA without a name": lambda: signed(kid=None),
    "RSA under the name of the curve": lambda: signed("rsa", "e1"),
    "the curve under the name of RSA": lambda: signed("ec", "r1"),
    "another algorithm of the same key": lambda: signed(algorithm="RS512"),
    "a padding that is not meant": lambda: signed(algorithm="PS256"),
    "expired": lambda: signed(exp=datetime.now(UTC) - timedelta(seconds=90)),
    "never expires": lambda: signed(exp=None),
    "not yet valid": lambda: signed(nbf=datetime.now(UTC) + timedelta(seconds=90)),
    "issued in the future": lambda: signed(iat=datetime.now(UTC) + timedelta(seconds=90)),
    "nobody": lambda: signed(sub=None),
    "another audience": lambda: signed(aud="payroll"),
    "no audience": lambda: signed(aud=None),
    "another issuer": lambda: signed(iss="https://evil.example.com"),
    "no issuer": lambda: signed(iss=None),
    "a name with a path in it": lambda: signed(kid="../jwks.json"),
    "a name in other letters": lambda: signed(kid="R1"),
    "a name with a space": lambda: signed(kid="r1 "),
    "a name of a thousand letters": lambda: signed(kid="r" * 1000),
    "a name that is a number": lambda: forged({"alg": "RS256", "kid": 1}, KEY),
    "a name that is a list": lambda: forged({"alg": "RS256", "kid": ["r1"]}, KEY),
    "a key that it brings along": lambda: jwt.encode(
        claims(), private("other rsa"), "RS256", headers={"kid": "r1", "jwk": public("other rsa", "r1")}
    ),
}


@pytest.mark.parametrize("made", BAD.values(), ids=BAD)
def test_everything_else_is_refused(checks, made):
    with pytest.raises(NotSignedIn):
        checks.read(made())


@asynccontextmanager
async def case_api(folder, path, monkeypatch):
    """A running case API that believes our tokens and theirs, with one case: how to send both changes of it."""
    monkeypatch.setattr(
        "support.native_cases.Authenticator", lambda keys: Authenticator(keys, US, THEM, JwksFile(path))
    )
    folder.mkdir()
    async with served_cases("tcp", folder) as served:
        [case] = await served.bench.add([Given()])

        async def change(token, user="jane@example.com"):
            headers = {"Authorization": f"Bearer {token}", "X-User-ID": user, "X-Idempotency-Key": str(uuid4())}
            async with httpx.AsyncClient(base_url=served.url, headers=headers, trust_env=False) as http:
                return [
                    (await http.post(f"/api/v2/cases/{case}/{verb}", json=wish)).status_code
                    for wish, verb in ((WISH, "cancel"), (BACK, "reinstate"))
                ]

        yield change


@pytest.mark.parametrize("made", BAD.values(), ids=BAD)
async def test_a_refused_token_changes_nothing(tmp_path, path, made, monkeypatch):
    """Not the system's file, and not ours."""
    async with case_api(tmp_path / "served", path, monkeypatch) as change:
        before = dumped(tmp_path / "served")
        assert await change(made()) == [401, 401]
        assert dumped(tmp_path / "served") == before


async def test_another_users_name_beside_the_token_changes_nothing(tmp_path, path, monkeypatch):
    async with case_api(tmp_path / "served", path, monkeypatch) as change:
        before = dumped(tmp_path / "served")["cases.db"]
        assert await change(signed(permissions=["cancel_case"], sub="joe@example.com")) == [403, 403]
        assert dumped(tmp_path / "served")["cases.db"] == before


async def test_a_token_that_holds_changes_what_the_others_must_not(tmp_path, path, monkeypatch):
    async with case_api(tmp_path / "served", path, monkeypatch) as change:
        before = dumped(tmp_path / "served")["cases.db"]
        assert (await change(signed(sub="jane@example.com")))[0] == 200
        assert dumped(tmp_path / "served")["cases.db"] != before


def dumped(folder):
    found = {}
    for file in sorted(folder.rglob("*.db")):
        with sqlite3.connect(file) as connection:
            found[file.name] = list(connection.iterdump())
        connection.close()
    assert found
    return found


async def test_a_service_reads_its_keys_anew_when_they_change(tmp_path, path):
    checks = Authenticator({"": KEY}, US, THEM, JwksFile(path))
    async with (
        listening(create_app(make_backend(make_world(tmp_path), checks))) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):

        async def status(token):
            return (await http.get("/v1", headers={"Authorization": f"Bearer {token}"})).status_code

        assert [await status(signed()), await status(signed("other rsa", "r2"))] == [200, 401]
        write(path, public("other rsa", "r2"))
        assert [await status(signed()), await status(signed("other rsa", "r2"))] == [401, 200]
        path.write_text("{", encoding="utf-8")
        assert await status(signed("other rsa", "r2")) == 503
        path.unlink()
        assert await status(signed("other rsa", "r2")) == 503
        write(path, public("rsa", "r1"))
        assert [await status(signed()), await status(signed("other rsa", "r2"))] == [200, 401]


def test_keys_that_are_meant_for_something_else_are_passed_over(path):
    others = [
        public("p384", "p"),
        public("ed", "d"),
        public("other rsa", "enc", use="enc"),
        public("other rsa", "sign", key_ops=["encrypt"]),
        public("other rsa", "long", alg="RS512"),
    ]
    write(path, public("rsa", "r1"), *others)
    keys = JwksFile(path)
    assert [kid for kid in ("r1", "p", "d", "enc", "sign", "long") if keys.find(kid)] == ["r1"]


UNUSABLE = {
    "no object": lambda: 1,
    "nothing": dict,
    "no name": lambda: public("other rsa", None),
    "an empty name": lambda: public("other rsa", ""),
    "a name that is a number": lambda: public("other rsa", None) | {"kid": 7},
    "a kind that nobody knows": lambda: {"kty": "XYZ", "kid": "x"},
    "a kind that is a list": lambda: {"kty": ["RSA"], "kid": "x"},
    "a curve that is a list": lambda: public("ec", "x") | {"crv": ["P-256"]},
    "another algorithm": lambda: public("other rsa", "x", alg="RS512"),
    "an algorithm that is a list": lambda: public("other rsa", "x", alg=["RS256"]),
    "uses that are a number": lambda: public("other rsa", "x", key_ops=7),
    "a curve that does not fit": lambda: public("p384", "x"),
    "an RSA key without a number": lambda: {"kty": "RSA", "kid": "x", "e": "AQAB"},
    "numbers that are none": lambda: {"kty": "RSA", "kid": "x", "e": 3, "n": [1]},
    "a point that lies on no curve": lambda: public("ec", "x") | {"x": "AAAA", "y": "AAAA"},
    "a weak key": lambda: public("weak rsa", "x"),
    "a shared secret": lambda: {"kty": "oct", "k": "c2VzYW1l", "kid": "x"},
    "a private key": lambda: jwt.get_algorithm_by_name("ES256").to_jwk(private("ec"), as_dict=True) | {"kid": "x"},
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("made", UNUSABLE.values(), ids=UNUSABLE)
def test_one_key_that_cannot_be_used_is_passed_over_and_told(path, caplog, made, first):
    good = public("rsa", "r1")
    write(path, *([made(), good] if first else [good, made()]))
    checks = Authenticator({"": KEY}, US, THEM, JwksFile(path))
    assert checks.read(signed()).name == "jane"
    with pytest.raises(NotSignedIn):
        checks.read(signed("other rsa", "x"))
    [told] = [record.getMessage() for record in caplog.records]
    assert f"key {1 if first else 2} of {path} is passed over: " in told


def test_keys_that_share_a_name_are_passed_over_and_the_others_hold(path, caplog):
    write(path, public("rsa", "r1"), public("other rsa", "a"), public("ec", "a"))
    keys = JwksFile(path)
    assert keys.find("r1")
    assert keys.find("a") is None
    assert "share the kid 'a'" in caplog.text


def test_one_key_twice_is_one_key(path, caplog):
    write(path, public("rsa", "r1"), public("rsa", "r1"))
    assert JwksFile(path).find("r1")
    assert caplog.text == ""


async def test_a_bad_key_that_comes_later_does_not_end_the_tokens_of_the_others(tmp_path, path):
    checks = Authenticator({"": KEY}, US, THEM, JwksFile(path))
    app = create_app(make_backend(make_world(tmp_path), checks))
    async with listening(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
        headers = {"Authorization": f"Bearer {signed()}"}
        for made in UNUSABLE.values():
            write(path, public("rsa", "r1"), made())
            assert (await http.get("/v1", headers=headers)).status_code == 200


WRONG = {
    "no JSON": lambda: "{",
    "no set": lambda: "[]",
    "no keys": lambda: '{"keys": []}',
    "keys that are none": lambda: '{"keys": [1]}',
    "an RSA key without a number": lambda: '{"keys": [{"kty": "RSA", "kid": "a", "e": "AQAB"}]}',
    "no name": lambda: json.dumps({"keys": [public("rsa", None)]}),
    "one name twice": lambda: json.dumps({"keys": [public("rsa", "a"), public("ec", "a")]}),
    "a weak key": lambda: json.dumps({"keys": [public("weak rsa", "a")]}),
    "a shared secret": lambda: json.dumps({"keys": [{"kty": "oct", "k": "c2VzYW1l", "kid": "s"}]}),
    "a private key": lambda: json.dumps(
        {"keys": [jwt.get_algorithm_by_name("ES256").to_jwk(private("ec"), as_dict=True) | {"kid": "a"}]}
    ),
    "nothing that can be used": lambda: json.dumps({"keys": [public("ed", "a")]}),
    "depth": lambda: "[" * 100_000,
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_file_that_holds_no_keys_is_refused_at_the_start(path, text):
    path.write_text(text(), encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"jwks\.json"):
        JwksFile(path)


def test_a_file_that_everybody_may_write_is_refused(path):
    keys = JwksFile(path)
    path.chmod(0o666)
    with pytest.raises(UsageProblem, match="everybody"):
        JwksFile(path)
    write(path, public("rsa", "r1"), public("ec", "e2"))
    with pytest.raises(Unavailable):
        keys.find("r1")


def test_a_pipe_in_its_place_is_not_waited_for(path):
    keys = JwksFile(path)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(UsageProblem, match="it is no regular file"):
        JwksFile(path)
    with pytest.raises(Unavailable):
        keys.find("r1")


def test_a_key_that_was_taken_out_in_place_is_believed_no_more_whatever_the_time_of_the_file_says(path):
    write(path, public("rsa", "r1"))
    keys, before = JwksFile(path), path.stat()
    assert keys.find("r1")
    path.write_text(path.read_text().replace('"r1"', '"r2"'), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    assert keys.find("r1") is None


def test_what_is_wrong_is_told_to_whoever_runs_the_service_once_and_not_to_whoever_asks(path, caplog):
    caplog.set_level("INFO", "quash.service")
    checks = Authenticator({"": KEY}, US, THEM, JwksFile(path))
    path.write_text("{", encoding="utf-8")
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            checks.read(forged({"alg": "RS256", "kid": "r1"}, KEY))
        assert str(path) not in f"{caught.value} {caught.value.hint} {caught.value.details}"
    path.unlink()
    for _ in range(3):
        with pytest.raises(Unavailable):
            checks.read(signed())
    write(path, public("rsa", "r1"))
    for _ in range(3):
        assert checks.read(signed()).name == "jane"
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [
        ("ERROR", f"tokens of other issuers are not believed: {path} holds no set of keys"),
        ("ERROR", f"tokens of other issuers are not believed: {path} cannot be read: No such file or directory"),
        ("INFO", "tokens of other issuers are believed again"),
    ]
