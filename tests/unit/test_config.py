"""Configuration: strict keys, flag before environment before file, and nothing secret in print."""

import os
import pwd
import socket
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tui_app.config import places, profiles, reading, values
from tui_app.config.setup import Flags, find, login
from tui_app.domain.errors import CannotConnect, QuashError, UsageProblem
from tui_app.systems.cases import plug as cases
from tui_app.systems.commands import plug as commands
from tui_app.systems.schedules import plug as schedules

KINDS = {
    "commands": commands.CommandsSettings,
    "cases": cases.CasesSettings,
    "schedules": schedules.SchedulesSettings,
}
WHOLE = """
default_profile = "prod"
theme = "quash-light"

[keys]
review = "X"

[profiles.prod]
environment = "production"
operator = "jane@example.com"
read_only = true
cap = 5000
store = "sqlite:"

[profiles.prod.commands]
url = "postgresql://quash:s3cret@db.example.com/bus"

[profiles.prod.cases]
url = "https://cases.example.com"
token_command = ["vault", "read", "-field=token", "secret/cases"]
contact = "#case-ops"
rate = "5/minute"
server_rate = "10/second"
ca_file = "/etc/ssl/ops.pem"

[profiles.prod.schedules]
url = "postgresql://db.example.com/posts"
amqp = "amqps://guest:guest@broker/"
dialect = "seed"
auth = "x-session-id"

[profiles.local.commands]

[profiles.remote]
service = "https://quash.example.com"
environment = "staging"
token_file = "~/.quash-token"
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.toml"


def read(file: Path, text: str) -> profiles.Config:
    file.write_text(text, encoding="utf-8")
    return reading.load(places.Named(file), KINDS)


def problem(file: Path, text: str) -> UsageProblem:
    with pytest.raises(UsageProblem) as caught:
        read(file, text)
    return caught.value


def test_every_key_is_read(file):
    prod = read(file, WHOLE).pick()
    assert (prod.name, prod.environment, prod.operator) == ("prod", "production", "jane@example.com")
    assert (prod.read_only, prod.cap, prod.remote) == (True, 5000, False)
    assert list(prod.systems) == ["commands", "cases", "schedules"]
    assert prod.systems["commands"].url.reveal() == "postgresql://quash:s3cret@db.example.com/bus"
    cases = prod.systems["cases"]
    assert cases.token_command == ("vault", "read", "-field=token", "secret/cases")
    assert (str(cases.rate), str(cases.server_rate)) == ("5/minute", "10/second")
    assert (cases.contact, cases.ca_file) == ("#case-ops", "/etc/ssl/ops.pem")
    schedules = prod.systems["schedules"]
    assert (schedules.dialect, schedules.auth) == ("seed", "x-session-id")
    assert schedules.amqp.scheme == "amqps"


def test_what_is_the_consoles_own(file):
    found = read(file, WHOLE)
    assert (found.theme, dict(found.keys)) == ("quash-light", {"review": "X"})
    assert (read(file, "").theme, dict(read(file, "").keys)) == (None, {})


def test_a_remote_profile_names_no_systems(file):
    remote = read(file, WHOLE).pick("remote")
    assert remote.remote
    assert (remote.environment, remote.token_file, dict(remote.systems)) == ("staging", "~/.quash-token", {})


@pytest.mark.parametrize("text", [None, "", "\n  \n"])
def test_no_file_and_an_empty_one_are_the_profile_local(file, text):
    found = reading.load(places.Named(file), KINDS) if text is None else read(file, text)
    only = found.pick()
    assert (only.name, only.environment, only.cap) == ("local", "local", None)
    assert list(only.systems) == list(KINDS)
    assert {one.url.reveal() for one in only.systems.values()} == {"sqlite:"}


def test_what_a_profile_does_not_say(file):
    found = read(file, "[profiles.night.commands]\n[profiles.local.commands]\n")
    assert (found.pick("night").environment, found.pick("night").cap) == ("night", profiles.DEFAULT_CAP)
    assert found.pick("local").cap is None
    assert found.pick().name == "local"
    assert read(file, "[profiles.night.commands]\n").pick().name == "night"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("default_profil = 'x'", "unknown key 'default_profil'", "Did you mean 'default_profile'?"),
        ("[profiles.a]\nenviroment = 'x'", "'enviroment' in [profiles.a]", "Did you mean 'environment'?"),
        ("[profiles.a.comands]", "unknown key 'comands'", "Did you mean 'commands'?"),
        ("[profiles.a.commands]\nurll = 'x'", "'urll' in [profiles.a.commands]", "Did you mean 'url'?"),
        ("[profiles.a]\nzzz = 1", "unknown key 'zzz'", "Keys here: environment"),
        ("[profiles.a]\ncap = 0", "profiles.a.cap is not a whole number", "5000"),
        ("[profiles.a]\ncap = true", "profiles.a.cap is not a whole number", "5000"),
        ("[profiles.a]\nread_only = 'no'", "profiles.a.read_only is not true or false", "true"),
        ("[profiles.a]\noperator = ' '", "profiles.a.operator is not a text", "jane@example.com"),
        ('[profiles.a]\noperator = "jane\\u202e"', "operator is not a text that can be shown", "jane@example.com"),
        ("[profiles.a]\noperator = ' jane'", "operator is not a name: it begins or ends", "jane@example.com"),
        ('[profiles.a]\nenvironment = "\\u3164"', "environment is not a name: it has characters", "production"),
        ('[profiles.a.cases]\ntoken_file = "a\\u0000b"', "token_file is not a text that can be shown", "token"),
        ("[profiles.a.commands]\nurl = 'mysql://x'", "commands.url is not a URL: sqlite:, postgresql://", ""),
        ("[profiles.a.commands]\nurl = 'sqlite:/x.db'", 'commands.url is not "sqlite:" alone', ""),
        ("[profiles.a.commands]\nurl = 7", "commands.url is not a URL", ""),
        ("[profiles.a.commands]\nurl = 'postgresql://[x'", "commands.url is not a URL", ""),
        ("[profiles.a]\nservice = 'http://far.example.com'", "plain http is for this host only", ""),
        (
            "[profiles.a.schedules]\namqp = 'amqp://quash:s3cret@mq.example.com/'",
            "schedules.amqp is not amqps://…; plain amqp is for this host only",
            "amqps://",
        ),
        ("[profiles.a]\nservice = 'https:///x'", "a URL with a host", ""),
        ("[profiles.a]\nservice = 'https://x/v1'", "not the address in front of /v1; write https://x", "https://"),
        ("[profiles.a]\nservice = 'https://x/ops/v1/'", "write https://x/ops", "https://"),
        ("[profiles.a]\nservice = 'https://x/?a=b'", "it has a query; end it before the '?'", "https://"),
        ("[profiles.a]\nservice = 'https://x#top'", "it has a fragment; end it before the '#'", "https://"),
        ("[profiles.a]\nservice = 'https://jane:s3cret@x'", "not a URL without a user or a password", "https://"),
        ("[profiles.a]\nservice = 'https://x:70000'", "a port from 1 to 65535", "https://"),
        ("[profiles.a]\nservice = 'https://x/a b'", "a path without spaces", "https://"),
        ('[profiles.a]\nservice = "https://x\\n"', "service is not a URL", "https://"),
        ("[profiles.a.cases]\nurl = 'https://x?a=b'", "it has a query", "https://"),
        ("[profiles.a.schedules]\nurl = 'https://jane@x'", "not a URL without a user or a password", "https://"),
        ("[profiles.a.cases]\nrate = '5/min'", "cases.rate is not a rate", "5/minute"),
        ("[profiles.a.cases]\nrate = '0/minute'", "cases.rate is not a rate", "5/minute"),
        ("[profiles.a.cases]\ntoken_command = 'vault'", "cases.token_command is not a command", "vault"),
        ("[profiles.a.schedules]\ndialect = 'other'", "dialect is not one of auto, seed, luxaris", ""),
        (
            "[profiles.a]\nservice = 'https://x'\n[profiles.a.commands]",
            "it cannot have 'commands'",
            "decides",
        ),
        ("[profiles.a]\nservice = 'https://x'\ncap = 3", "it cannot have 'cap'", "decides"),
        ("[profiles.a]\nservice = 'https://x'\nread_only = true", "it cannot have 'read_only'", "decides"),
        ("[profiles.a]\ntoken_file = 'x'", "'token_file' without a service", "[profiles.a.SYSTEM]"),
        ("[profiles.'../x'.commands]", "'../x' cannot be a profile's name", "letters"),
        ("profiles = 3", "profiles is not a table", "[profiles]"),
        ("[profiles]\na = 3", "profiles.a is not a table", "[profiles.a]"),
        ("[profiles]", "[profiles] is empty", "[profiles.NAME]"),
        ("default_profile = 'prd'\n[profiles.prod.commands]", "default_profile names 'prd'", "'prod'"),
        ("[keys]\nreview = 3", "keys.review is not a key", "spaces between"),
        ("keys = 'x'", "keys is not a table", "[keys]"),
        ("[profiles.a", "is not valid TOML", "Mend"),
    ],
)
def test_a_mistake_is_named_with_what_to_do(file, text, message, hint):
    found = problem(file, text)
    assert message in found.message
    assert str(file) in found.message
    assert hint in found.hint


def test_bytes_that_are_no_text(file):
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageProblem, match="not valid TOML"):
        reading.load(places.Named(file), KINDS)


def test_a_profile_that_is_not_there(file):
    with pytest.raises(UsageProblem, match="no profile 'prd'") as caught:
        read(file, WHOLE).pick("prd")
    assert "prod, local, remote" in caught.value.hint
    with pytest.raises(UsageProblem, match="no profile 'local'"):
        read(file, "[profiles.a.commands]\n[profiles.b.commands]").pick()


def test_a_file_that_everybody_may_write_is_refused(file):
    file.write_text("", encoding="utf-8")
    file.chmod(0o602)
    with pytest.raises(UsageProblem, match="everybody may write") as caught:
        reading.load(places.Named(file), KINDS)
    assert "chmod o-w" in caught.value.hint
    file.chmod(0o600)
    assert reading.load(places.Named(file), KINDS).pick().name == "local"


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageProblem, match="cannot be read"):
        reading.load(places.Named(tmp_path), KINDS)


def test_the_null_device_is_no_file():
    assert reading.load(places.Named(Path("/dev/null")), KINDS).pick().name == "local"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[profiles.a]", "names no system"),
        (
            "[profiles.a]\nstore = 'postgresql://x/y'\n[profiles.a.commands]",
            "keeps its journal in PostgreSQL",
        ),
    ],
)
def test_what_this_version_cannot_do_is_said_of_the_profile_in_use(file, text, message):
    found = read(file, text + "\n[profiles.fine.commands]\n")
    found.pick("fine").check_served()
    with pytest.raises(UsageProblem, match=message):
        found.pick("a").check_served()


def test_a_remote_profile_leaves_its_environment_to_the_service_unless_it_names_one(file):
    assert read(file, "[profiles.far]\nservice = 'https://x'\n").pick("far").environment == ""


def test_a_remote_profile_is_always_served(file):
    read(file, WHOLE).pick("remote").check_served()


def test_rates():
    assert values.rate("7/hour") == values.Rate(7, timedelta(hours=1))
    assert str(values.rate("7/hour")) == "7/hour"


def test_secrets_do_not_print():
    secret = values.Secret("hunter2")
    shown = [str(secret), repr(secret), f"{secret}", repr([secret]), f"{secret!r:>5}"]
    assert [text for text in shown if "hunter2" in text] == []
    assert secret.reveal() == "hunter2"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://jane:s3cret@db/bus", "postgresql://jane:***@db/bus"),
        ("postgresql://jane@db/bus?password=s3cret&x=1", "postgresql://jane@db/bus?password=***&x=1"),
        ("postgresql://jane:s3%40cret@[::1]:5432/bus", "postgresql://jane:***@[::1]:5432/bus"),
        ("https://cases.example.com/v2", "https://cases.example.com/v2"),
        ("sqlite:", "sqlite:"),
    ],
)
def test_an_address_prints_without_its_password(url, shown):
    address = values.Address(url)
    assert (str(address), repr(address), address.reveal()) == (shown, shown, url)


def test_no_password_stands_in_a_profile_or_in_a_traceback(file):
    prod = read(file, WHOLE).pick()
    assert "s3cret" not in repr(prod)
    found = problem(file, "[profiles.a.commands]\nurl = 'mysql://jane:s3cret@db/x'")
    told = "".join(traceback.format_exception(found)) + found.message + found.hint
    assert "s3cret" not in told


def test_where_the_file_is(own_home, tmp_path):
    flag, variable = tmp_path / "flag.toml", tmp_path / "variable.toml"
    flag.touch()
    variable.touch()
    assert places.config_file(str(flag), {"QUASH_CONFIG": str(variable)}) == places.Named(flag, "--config")
    assert places.config_file(None, {"QUASH_CONFIG": str(variable)}) == places.Named(variable, "QUASH_CONFIG")
    assert places.config_file(None, {}) == places.Named(own_home / "config" / "quash" / "config.toml")


def test_where_the_state_is(own_home):
    assert places.state_folder("/flag", {"QUASH_DATA": "/variable"}) == places.Named(Path("/flag"), "--data")
    assert places.state_folder(None, {"QUASH_DATA": "/variable"}) == places.Named(Path("/variable"), "QUASH_DATA")
    assert places.state_folder(None, {}) == places.Named(own_home / "state" / "quash")


def test_only_the_owner_may_enter_the_state(tmp_path):
    rooms = places.Rooms.of(places.Named(tmp_path / "state"), "prod").open()
    assert rooms.folder.stat().st_mode & 0o777 == 0o700
    assert (rooms.journal.parent, rooms.system("commands").name) == (rooms.folder, "commands.db")
    assert rooms.journal != rooms.system("commands")
    rooms.folder.chmod(0o750)
    with pytest.raises(UsageProblem, match="others may enter") as caught:
        rooms.open()
    assert f"chmod 700 {rooms.folder}" in caught.value.hint


def test_a_state_folder_that_cannot_be(tmp_path):
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    with pytest.raises(CannotConnect, match="cannot be used"):
        places.Rooms.of(places.Named(tmp_path / "state"), "prod").open()


def test_who_acts_and_where_is_said_by_flag_then_environment_then_file(file, tmp_path):
    file.write_text(WHOLE, encoding="utf-8")
    variables = {
        "QUASH_CONFIG": str(file),
        "QUASH_PROFILE": "local",
        "QUASH_OPERATOR": "variable",
        "QUASH_DATA": "/variable",
    }
    flags = Flags(profile="prod", operator="flag", data="/flag")
    found = find(flags, variables, KINDS)
    assert (found.profile.name, found.operator, str(found.state.path)) == ("prod", "flag", "/flag")
    found = find(Flags(), variables, KINDS)
    assert (found.profile.name, found.operator, str(found.state.path)) == ("local", "variable", "/variable")
    found = find(Flags(config=str(file), data=str(tmp_path)), {}, KINDS)
    assert (found.profile.name, found.operator) == ("prod", "jane@example.com")


def test_who_acts_elsewhere_cannot_be_said_here(file):
    file.write_text(WHOLE, encoding="utf-8")
    with pytest.raises(UsageProblem, match="whom its token names acts there, and not 'mallory'"):
        find(Flags(profile="remote", operator="mallory"), {"QUASH_CONFIG": str(file)}, KINDS)


def test_the_broker_of_this_host_may_be_reached_in_plain_text():
    assert values.address("amqp", "amqps")("amqp://guest:guest@127.0.0.1/").loopback


def test_without_an_operator_it_is_the_login_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")
    found = find(Flags(), {"QUASH_DATA": "/x"}, KINDS)
    assert found.operator == login() == pwd.getpwuid(os.getuid()).pw_name


def test_another_process_finds_the_same_place_from_another_folder(file, monkeypatch, tmp_path):
    file.write_text(WHOLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    first = find(Flags(operator="jane", data="state"), {"QUASH_CONFIG": file.name}, KINDS)
    words = dict(zip(first.options[::2], first.options[1::2], strict=True))
    monkeypatch.chdir("/")
    again = find(
        Flags(profile=words["--profile"], operator=words["--operator"], data=words["--data"], config=words["--config"]),
        {"QUASH_CONFIG": "elsewhere.toml", "QUASH_OPERATOR": "other"},
        KINDS,
    )
    assert again == first


def test_whether_it_is_the_profile_of_whoever_names_none(file):
    file.write_text(WHOLE, encoding="utf-8")
    variables = {"QUASH_CONFIG": str(file), "QUASH_DATA": "/x"}
    assert find(Flags(), variables, KINDS).by_default
    assert find(Flags(profile="prod"), variables, KINDS).by_default
    assert not find(Flags(profile="local"), variables, KINDS).by_default
    assert not find(Flags(), {**variables, "QUASH_PROFILE": "local"}, KINDS).by_default


def test_the_file_can_be_left_out(file):
    file.write_text("nonsense", encoding="utf-8")
    found = find(Flags(no_config=True, data="/x"), {"QUASH_CONFIG": str(file)}, KINDS)
    assert found.profile.name == "local"
    assert "--no-config" in found.options


def test_the_ledger_is_told_who_it_was(monkeypatch, tmp_path):
    monkeypatch.setenv("SSH_CLIENT", "192.0.2.7 50022 22")
    who = find(Flags(operator="jane", data=str(tmp_path)), {}, KINDS).who("jane")
    assert (who.operator, who.os_user, who.profile, who.environment) == ("jane", login(), "local", "local")
    assert (who.host, who.ssh_client) == (socket.gethostname(), "192.0.2.7")
    monkeypatch.delenv("SSH_CLIENT")
    assert find(Flags(data=str(tmp_path)), {}, KINDS).who("jane").ssh_client is None


UNSEEN = ["jane\x1b[2J", "jane\nroot", "jane\u202e", "jane\u200d", "jane\udcff", "\u3164", "\u0301"]
NO_NAMES = [" ", "\t", *UNSEEN, "jane ", "j" * 257]


@pytest.mark.parametrize("name", NO_NAMES)
def test_an_operator_has_a_name_that_every_trail_can_show(name):
    for flags, variables, by in (
        (Flags(operator=name, data="state", no_config=True), {}, "--operator"),
        (Flags(data="state", no_config=True), {"QUASH_OPERATOR": name}, "QUASH_OPERATOR"),
    ):
        with pytest.raises(UsageProblem) as caught:
            find(flags, variables, KINDS)
        assert by in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize("name", ["j", "Jane Doe", "José", "jane@example.com", "やまだ", "j" * 256])
def test_names_of_people_are_names(name):
    assert find(Flags(data="state", no_config=True), {"QUASH_OPERATOR": name}, KINDS).operator == name


@pytest.mark.parametrize("flag", ["profile", "operator", "data", "config"])
def test_what_is_said_and_blank_is_not_taken_for_left_out(flag):
    for blank in ("", " "):
        with pytest.raises(UsageProblem, match=f"--{flag} is blank"):
            find(Flags(**{"data": "/x", flag: blank}), {}, KINDS)
    with pytest.raises(UsageProblem, match=f"QUASH_{flag.upper()} is blank"):
        find(Flags(), {"QUASH_DATA": "/x", f"QUASH_{flag.upper()}": " "}, KINDS)
    assert find(Flags(data="/x"), {f"QUASH_{flag.upper()}": ""}, KINDS).operator == login()


@pytest.mark.parametrize(("flagged", "by"), [(True, "--"), (False, "QUASH_")])
def test_a_hint_names_where_a_value_came_from(tmp_path, monkeypatch, flagged, by):
    def said(**values: str) -> tuple[Flags, dict[str, str]]:
        named = {name: str(value) for name, value in values.items()}
        return (
            (Flags(**named), {})
            if flagged
            else (Flags(), {f"QUASH_{key.upper()}": text for key, text in named.items()})
        )

    def hint_of(work: Callable[[], object]) -> str:
        with pytest.raises(QuashError) as caught:
            work()
        other = "QUASH_" if flagged else "--"
        assert other not in caught.value.message + caught.value.hint
        return caught.value.message + caught.value.hint

    (tmp_path / "a file").touch()
    (tmp_path / "folder").mkdir()
    stands = find(*said(data=tmp_path / "a file", config=os.devnull), KINDS)
    assert by in hint_of(stands.rooms.open)
    assert by in hint_of(lambda: find(*said(data="/x", config=tmp_path / "folder"), KINDS))
    assert by in hint_of(lambda: find(*said(data="/x", config=os.devnull, profile="nosuch"), KINDS))
    # A folder of somebody else is told to root and to a user, each in their own words.
    theirs = find(*said(data=tmp_path / "state", config=os.devnull), KINDS)
    theirs.rooms.open()
    for number in (0, os.geteuid() + 1):
        monkeypatch.setattr(os, "geteuid", lambda number=number: number)
        monkeypatch.setattr(places, "owner_to_keep", lambda place, number=number: None if number else os.getuid() + 1)
        assert by in hint_of(theirs.rooms.open)


def test_the_default_place_is_not_said_to_be_named(own_home, tmp_path):
    (own_home / "state").mkdir(parents=True, exist_ok=True)
    (own_home / "state" / "quash").touch()
    with pytest.raises(CannotConnect) as caught:
        find(Flags(no_config=True), {}, KINDS).rooms.open()
    assert "default state folder" in caught.value.hint
