"""`profile`: what holds, without secrets, and whether it answers."""

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
    assert found.json["systems"] == [{"system": system, "items": 120, "exact": True} for system in bootstrap.names()]
    assert found.json["ledger_holds"] is True
    assert bus.in_status(TROUBLED)


def test_a_profile_that_does_not(quash, config):
    config("[profiles.far.commands]\nurl = 'postgresql://jane:s3cret@127.0.0.1:1/bus'\n")
    found = quash("profile", "check", "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "CANNOT_CONNECT")
    assert "s3cret" not in found.err
