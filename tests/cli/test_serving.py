"""`serve`, `token`, and a profile that is served elsewhere; and every answer that a service can give."""

import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from support.answering import answering
from support.command_line import TROUBLED
from support.serve_process import serving
from support.tls import terminated
from tui_app import bootstrap
from tui_app.cli.exits import Exit
from tui_app.contract.problems import MEDIA_TYPE, STATUS
from tui_app.domain.moments import read
from tui_app.systems.cases import desk as cases
from tui_app.systems.schedules import rules as schedules

GIVEN = ("--reason", "duplicate request", "--yes", "--expect-count", 1)


def own(path: Path) -> Path:
    """A file that its owner alone may read."""
    path.touch(mode=0o600)
    return path


def test_a_remote_profile_does_all_that_an_embedded_one_does(quash, bus, far, tmp_path):
    one, two, three = bus.in_status(TROUBLED)[:3]
    with serving() as (url, local_token, _):
        assert stat.S_IMODE(local_token.stat().st_mode) == 0o600
        far(url, local_token)
        assert quash("list", "commands", "--output", "json").json["total"] == 120
        assert quash("cancel", "commands", one, *GIVEN).code == Exit.DONE

        token = own(tmp_path / "token")
        issued = quash("token", "--user", "jane", "--permission", "operate", "--no-config")
        token.write_text(issued.out, encoding="ascii")
        far(url, token)
        found = quash("cancel", "commands", two, *GIVEN, "--output", "json")
        assert (found.code, found.json["run"]["operator"]) == (Exit.DONE, "jane")

        token.write_text(quash("token", "--user", "joe", "--no-config").out, encoding="ascii")
        refused = quash("cancel", "commands", three, *GIVEN, "--output", "json")
        assert (refused.code, refused.error["code"]) == (Exit.NO_ACCESS, "FORBIDDEN")
        assert [bus.status(item) for item in (one, two, three)] == ["CANCELED", "CANCELED", TROUBLED]

        token.write_text("nonsense", encoding="ascii")
        assert quash("list", "commands", "--output", "json").error["code"] == "UNAUTHORIZED"
    gone = quash("list", "commands", "--output", "json")
    assert (gone.code, gone.error["code"]) == (Exit.NO_ACCESS, "CANNOT_CONNECT")


def test_a_remote_profile_over_tls_trusts_the_authority_that_it_names(quash, bus, far, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    one = bus.in_status(TROUBLED)[0]
    with serving() as (plain, token, _), terminated(plain, authority.issue_cert("127.0.0.1")) as url:
        ours, others = (f"ca_file = '{tmp_path / name}'\n" for name in ("ca.pem", "other.pem"))
        for named, at in ((others, url), ("", url), (ours, url.replace("127.0.0.1", "localhost"))):
            far(at, token, named)
            refused = quash("cancel", "commands", one, *GIVEN, "--output", "json")
            assert (refused.code, refused.error["code"]) == (Exit.NO_ACCESS, "CANNOT_CONNECT")
            assert "certificate" in refused.error["message"]
        assert bus.status(one) == TROUBLED
        far(url, token, ours)
        assert quash("cancel", "commands", one, *GIVEN).code == Exit.DONE
        assert bus.status(one) == "CANCELED"
        checked = quash("profile", "check", "--output", "json").json
        [ends] = checked["credentials"]
        assert ends["system"] == "service"
        assert timedelta(days=29) < read(ends["expires_at"]) - datetime.now(UTC) < timedelta(days=31)
        lines = {one["system"]: one["token_until"] for one in quash("profile", "check", "--output", "jsonl").lines}
        assert lines["service"] == ends["expires_at"]
        assert lines["commands"] is None


def test_a_service_that_cannot_read_the_keys_of_others_says_so_on_its_standard_error(config, tmp_path):
    keys = tmp_path / "jwks.json"
    public = jwt.get_algorithm_by_name("ES256").to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), True)
    keys.write_text(json.dumps({"keys": [{**public, "kid": "e1"}]}), encoding="utf-8")
    config(f"[profiles.local]\njwks_file = '{keys}'\naudience = 'quash'\n[profiles.local.commands]\n")
    command = [sys.executable, "-m", "tui_app", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            url = process.stderr.readline().split()[-1]
            process.stderr.readline()
            keys.unlink()
            token = jwt.encode({"sub": "jane"}, b"k" * 32, headers={"kid": "e1"})
            answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
            said = process.stderr.readline()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.text
    assert f"ERROR tokens of other issuers are not believed: {keys} cannot be read" in said


def test_a_port_that_is_taken(process, quash):
    with serving() as (url, *_):
        found = process("serve", "--port", url.rpartition(":")[2], "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "CANNOT_CONNECT")


def test_a_token_that_nobody_gives(quash, config):
    config("[profiles.far]\nservice = 'http://127.0.0.1:1'\n")
    found = quash("list", "commands", "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "UNAUTHORIZED")
    assert "QUASH_SERVICE_TOKEN" in found.error["message"]


@pytest.mark.parametrize("words", [["token", "--user", "jane"], ["serve"], ["runner"]])
def test_what_belongs_on_the_other_host(quash, config, words):
    config("[profiles.far]\nservice = 'http://127.0.0.1:1'\n")
    found = quash(*words, "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.USAGE, "USAGE")
    assert "served elsewhere" in found.error["message"]


def test_the_key_and_the_token_are_their_owners(quash, monkeypatch):
    assert quash("token", "--user", "jane").out.count(".") == 2
    [key] = Path(os.environ["QUASH_DATA"]).rglob("service.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert quash("token").code == Exit.USAGE


@pytest.mark.parametrize("name", ["", " ", "jane\nroot", "jane\u202e", "\u200b", "jane\x1b[2J", " jane", "j" * 257])
def test_no_token_is_made_for_a_name_that_cannot_be_shown(quash, bus, name):
    refused = quash("token", "--user", name, "--output", "json")
    assert (refused.code, refused.out, refused.error["code"]) == (Exit.USAGE, "", "USAGE")
    assert "--user" in refused.error["message"]
    assert not name.strip() or "256 characters" in refused.error["hint"]


def test_a_service_at_another_path_is_told_with_the_setting_that_names_it(quash, far, tmp_path):
    token = own(tmp_path / "token")
    token.write_text("some.token.here", encoding="ascii")
    with answering(
        lambda path: (404, {"Content-Type": MEDIA_TYPE}, problem("NOT_FOUND") | {"details": {"route": path}})
    ) as url:
        far(f"{url}/ops", token)
        found = quash("runs", "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "CANNOT_CONNECT")
    assert "/ops/v1/runs" in found.error["message"]
    assert "`service` of the profile" in found.error["hint"]


def problem(code: str) -> dict[str, object]:
    return {
        "type": f"urn:quash:error:{code}",
        "title": code,
        "status": STATUS[code],
        "detail": f"this is {code}",
        "code": code,
    }


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("RATE_LIMITED", Exit.RATE_LIMITED),
        ("FAULT", Exit.FAULT),
        ("OUTCOME_UNKNOWN", Exit.UNKNOWN),
        ("BUSY", Exit.NO_ACCESS),
        ("STORAGE_FULL", Exit.NO_ACCESS),
        ("LEDGER_BROKEN", Exit.LEDGER),
        ("NOT_FOUND", Exit.PARTLY),
    ],
)
def test_an_error_of_the_service_becomes_its_exit_code(quash, far, tmp_path, code, expected):
    token = own(tmp_path / "token")
    token.write_text("some.token.here", encoding="ascii")
    with answering(lambda path: (STATUS[code], {"Content-Type": MEDIA_TYPE}, problem(code))) as url:
        far(url, token)
        found = quash("runs", "--output", "json")
    assert (found.code, found.error["code"], found.error["message"]) == (expected, code, f"this is {code}")


@pytest.mark.parametrize(
    ("given", "nearest"),
    [("fly", None), ("Operate", "operate"), ("operat", "operate"), ("cancel_cases", "cancel_case"),
     ("cancel_schedule:", "cancel_schedule"), ("cancel_case:c1", "cancel_case"), ("", None)],
)  # fmt: skip
def test_a_permission_that_nothing_asks_for_makes_no_token(quash, bus, given, nearest):
    refused = quash("token", "--user", "jane", "--permission", "operate", "--permission", given, "--output", "json")
    assert (refused.code, refused.out, refused.error["code"]) == (Exit.USAGE, "", "USAGE")
    assert (f"Did you mean {nearest}" in refused.error["hint"]) is (nearest is not None)
    assert "operate, cancel_case, cancel_schedule" in refused.error["hint"]


@pytest.mark.parametrize("given", ["operate", "cancel_case", "cancel_schedule", "cancel_schedule:post-1"])
def test_a_permission_that_is_asked_for_makes_a_token(quash, bus, given):
    made = quash("token", "--user", "jane", "--permission", given)
    assert made.code == Exit.DONE
    assert jwt.decode(made.out.strip(), options={"verify_signature": False})["permissions"] == [given]


def test_the_permissions_of_the_systems_are_those_that_their_routes_ask_for():
    assert bootstrap.plugs()["cases"].permissions == (cases.PERMISSION,)
    every = schedules.PERMISSION
    assert bootstrap.plugs()["schedules"].permissions == (every, f"{every}:")
