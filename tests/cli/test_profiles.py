"""`profile`: what holds, without secrets, and whether it answers."""

import asyncio
import os
import pwd
from pathlib import Path

import pytest

from support.case_server import JANE, TOKEN, case_server
from support.command_line import TROUBLED
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
