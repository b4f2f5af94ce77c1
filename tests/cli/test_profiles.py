"""`profile`: what holds, without secrets, and whether it answers."""

import asyncio
import os
import pwd
from pathlib import Path

import pytest

from support.between import STRANGERS
from support.case_server import JANE, TOKEN, case_server
from support.command_line import TROUBLED
from support.raw_server import threaded_server
from tui_app import bootstrap
from tui_app.cli.exits import Exit

TWO = """
default_profile = "prod"
[profiles.prod]
environment = "production"
read_only = true
[profiles.prod.commands]
url = "postgresql://jane:s3cret@127.0.0.1:1/bus"
[profiles.prod.cases]
token_command = ["vault", "read"]
rate = "5/minute"
[profiles.local.commands]
"""


def test_profiles_are_listed_with_their_default(quash, config):
    config(TWO)
    found = quash("profile", "--output", "json")
    assert (found.code, found.json["schema"]) == (Exit.DONE, "quash.profiles.v1")
    assert [(one["name"], one["default"]) for one in found.json["profiles"]] == [("prod", True), ("local", False)]
    assert "commands: sqlite:" in quash("profile", "list").out


def test_what_holds_is_shown_without_secrets(quash, config):
    config(TWO)
    found = quash("profile", "show", "--operator", "jane", "--output", "json")
    profile = found.json["profile"]
    assert (profile["name"], profile["environment"], profile["operator"]) == ("prod", "production", "jane")
    assert profile["cap"] == 10_000
    assert profile["systems"]["commands"]["url"] == "postgresql://jane:***@127.0.0.1:1/bus"
    assert profile["systems"]["cases"]["rate"] == "5/minute"
    plain = quash("profile", "show").out
    assert "token_command: vault read" in plain
    assert "s3cret" not in found.out + plain + quash("profile").out


def test_a_profile_that_answers(quash, bus):
    found = quash("profile", "check", "--output", "json")
    assert found.code == Exit.DONE
    assert [(one["system"], one["items"], one["exact"]) for one in found.json["systems"]] == [
        (system, 120, True) for system in bootstrap.names()
    ]
    assert found.json["ledger_holds"] is True
    assert bus.in_status(TROUBLED)


def test_a_profile_that_does_not(quash, config):
    config("[profiles.far.commands]\nurl = 'postgresql://jane:s3cret@127.0.0.1:1/bus'\n")
    found = quash("profile", "check", "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "CANNOT_CONNECT")
    assert "s3cret" not in found.err


def test_whom_a_remote_profile_acts_for_is_the_tokens_to_say(quash, config):
    config("[profiles.far]\nservice = 'http://127.0.0.1:1'\n")
    assert quash("profile", "show", "--output", "json").json["profile"]["operator"] is None
    assert "operator: whom the token names" in quash("profile", "show").out
    refused = quash("list", "commands", "--operator", "mallory", "--output", "json")
    assert (refused.code, refused.error["code"]) == (Exit.USAGE, "USAGE")
    assert "'mallory'" in refused.error["message"]


def test_keys_of_other_issuers_that_a_service_could_not_use_are_named(quash, config, tmp_path):
    keys = tmp_path / "jwks.json"
    config(f"[profiles.local]\njwks_file = '{keys}'\naudience = 'quash'\n[profiles.local.commands]\n")
    keys.write_text("{", encoding="utf-8")
    found = quash("profile", "check", "--output", "json")
    assert (found.code, found.out, found.error["code"]) == (Exit.USAGE, "", "USAGE")
    assert found.error["message"] == f"{keys} holds no set of keys"


async def test_a_system_without_a_list_is_not_said_to_be_empty(quash, config, monkeypatch):
    monkeypatch.setenv("QUASH_CASES_TOKEN", TOKEN)
    async with case_server("CASE-1") as way:
        config(f"[profiles.local.cases]\nurl = '{way.raw.url}'\n[profiles.local.commands]\n")
        check = ("profile", "check", "--operator", JANE)
        [commands, cases] = (await asyncio.to_thread(quash, *check, "--output", "json")).json["systems"]
        plain = (await asyncio.to_thread(quash, *check)).out
    assert (commands["items"], commands["exact"]) == (0, True)
    assert (cases["items"], cases["exact"], cases["lists"]) == (None, None, False)
    assert "no list here" in plain


@pytest.mark.parametrize("system", ["cases", "schedules"])
@pytest.mark.parametrize("name", ["404, a text", "404, a page", "401, a page", "200, a page", "200, a state of health"])
def test_an_address_at_which_somebody_else_answers_does_not_answer(quash, config, monkeypatch, system, name):
    """It says what was asked, what came, and that this was not the API."""
    monkeypatch.setenv(f"QUASH_{system.upper()}_TOKEN", TOKEN)
    stranger = STRANGERS.get(name) or next(one for known, one in STRANGERS.items() if known.startswith(name[:3]))
    with threaded_server(lambda _: stranger) as server:
        config(f"[profiles.local.{system}]\nurl = '{server.url}'\n[profiles.local.commands]\n")
        found = quash("profile", "check", "--operator", JANE, "--output", "json")
        said = quash("profile", "check", "--operator", JANE).err
    rows = {one["system"]: one for one in found.json["systems"]}
    assert found.code == Exit.NO_ACCESS
    assert (rows["commands"]["recognised"], rows[system]["recognised"]) == (True, False)
    assert rows[system]["items"] is None
    assert all(not one["recognised"] and str(stranger.status) in one["came"] for one in rows[system]["probes"])
    assert f"{system}: asked GET /api" in said
    assert "IS NOT RECOGNISED AS ITS OWN ANSWER" in said
    assert f"does not answer as {system}: see `url` in the profile" in said


async def test_an_api_that_answers_is_recognised_by_what_it_says(quash, config, monkeypatch):
    monkeypatch.setenv("QUASH_CASES_TOKEN", TOKEN)
    async with case_server("CASE-1") as way:
        config(f"[profiles.local.cases]\nurl = '{way.raw.url}'\n")
        check = ("profile", "check", "--operator", JANE, "--output", "json")
        found = await asyncio.to_thread(quash, *check)
        config(f"[profiles.local.cases]\nurl = '{way.raw.url}/api/v2'\n")
        wrong = await asyncio.to_thread(quash, *check)
    [cases] = found.json["systems"]
    assert (found.code, cases["recognised"]) == (Exit.DONE, True)
    assert [one["came"][:3] for one in cases["probes"]] == ["200", "404", "404"]
    assert "CASE_NOT_FOUND" in cases["probes"][-1]["came"]
    assert (wrong.code, wrong.json["systems"][0]["recognised"]) == (Exit.NO_ACCESS, False)


@pytest.mark.parametrize("name", ["404, a text", "200, a page", "200, a state of health"])
def test_a_remote_profile_at_which_somebody_else_answers_does_not_answer(quash, config, monkeypatch, name):
    monkeypatch.setenv("QUASH_SERVICE_TOKEN", "some.token.here")
    stranger = STRANGERS.get(name) or next(one for known, one in STRANGERS.items() if known.startswith(name[:3]))
    with threaded_server(lambda _: stranger) as server:
        config(f"[profiles.far]\nservice = '{server.url}'\n")
        found = quash("profile", "check", "--output", "json")
    assert found.code == Exit.NO_ACCESS
    assert "Is this address a quash service?" in found.error["hint"]
    assert "GET /v1" in found.error["message"]
    assert str(stranger.status) in found.error["message"]


@pytest.mark.parametrize("verb", [["list", "commands"], ["profile"], ["runs"], ["ledger", "verify"], ["serve"]])
def test_named_configuration_that_is_missing_is_refused_by_every_verb(quash, tmp_path, verb):
    missing = tmp_path / "nosuch.toml"
    found = quash(*verb, "--config", str(missing))
    assert found.code == Exit.USAGE
    assert f"there is no file {missing}, which --config names" in found.err


def test_missing_file_named_by_the_environment_is_refused(quash, tmp_path, monkeypatch):
    monkeypatch.setenv("QUASH_CONFIG", str(tmp_path / "nosuch.toml"))
    found = quash("list", "commands")
    assert found.code == Exit.USAGE
    assert "which QUASH_CONFIG names" in found.err
    assert not list(Path(os.environ["QUASH_DATA"]).glob("profiles/*")), "it opened a profile all the same"


@pytest.mark.parametrize("name", ["data", "config", "operator"])
def test_what_is_blank_is_refused_by_every_way_to_say_it(quash, monkeypatch, name):
    flagged = quash("runs", f"--{name}", " ", "--output", "json")
    assert (flagged.code, f"--{name}" in flagged.error["message"]) == (Exit.USAGE, True)
    monkeypatch.setenv(f"QUASH_{name.upper()}", " ")
    named = quash("runs", "--output", "json")
    assert (named.code, named.error["message"]) == (Exit.USAGE, f"QUASH_{name.upper()} is blank")


def test_default_configuration_may_be_missing(quash, monkeypatch):
    monkeypatch.delenv("QUASH_CONFIG")
    assert quash("profile", "list", "--output", "json").json["profiles"][0]["name"] == "local"


@pytest.fixture
def homeless(monkeypatch):
    """A user without a home: HOME is not set, and the list of users does not have them, as in some containers."""

    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "QUASH_DATA", "QUASH_CONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_a_user_without_a_home_is_told_what_to_name(quash, homeless, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        ["runs"],
        ["runs", "--no-config"],
        ["list", "commands", "--config", "~/x.toml"],
        ["runs", "--data", "~/x"],
    ):
        told = quash(*words, "--output", "json")
        assert (words, told.code, told.error["code"]) == (words, Exit.USAGE, "USAGE")
        assert "QUASH_DATA" in told.error["hint"]
    assert list(tmp_path.iterdir()) == [], "a folder named ~ was made"


def test_a_user_without_a_home_works_where_they_name_it(quash, homeless, tmp_path):
    done = quash("runs", "--no-config", "--data", tmp_path / "state", "--operator", "jane", "--output", "json")
    assert (done.code, done.json["runs"]) == (Exit.DONE, [])
