"""That a token ends soon stands in the header, before it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.backend import KEY, Service, serving
from support.canned import Canned
from support.console import Console, Operator
from support.operator import Desk
from support.wire import Wire
from tui_app import bootstrap
from tui_app.client.backend import BackendClient
from tui_app.config.setup import Flags, find
from tui_app.contract.models import CredentialModel
from tui_app.domain.moments import stamp
from tui_app.service.auth import issue_token
from tui_app.tui.app import QuashApp
from tui_app.tui.credentials import acting_as, ending
from tui_app.tui.widgets.header import Header

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def holding(**seconds):
    return [
        CredentialModel(system=name, expires_at=None if left is None else stamp(NOW + timedelta(seconds=left)))
        for name, left in seconds.items()
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ({}, ""),
        ({"cases": None}, ""),
        ({"cases": 600}, ""),
        ({"cases": 599}, "token expires in 9 min"),
        ({"cases": 7 * 60 + 1, "service": 9000}, "token expires in 7 min"),
        ({"cases": 9000, "schedules": 60}, "token expires in 1 min"),
        ({"cases": 59}, "token expires within a minute"),
        ({"cases": 0}, "token has expired"),
        ({"cases": -90, "service": None}, "token has expired"),
    ],
)
def test_the_token_that_ends_first_is_told_when_it_is_time(seconds, words):
    assert ending(holding(**seconds), NOW) == words


def test_a_system_that_is_reached_as_somebody_else_is_named():
    def held(acts_as):
        return CredentialModel(system="schedules", expires_at=None, acts_as=acts_as)

    assert acting_as([held("bob@example.com")], "jane@example.com") == "schedules as bob@example.com"
    assert acting_as([held("bob@example.com")] * 2, "jane@example.com") == "schedules and schedules as bob@example.com"
    assert acting_as([held("jane@example.com"), held(None)], "jane@example.com") == ""


async def test_a_session_of_somebody_else_stands_in_the_header(local: Service) -> None:
    def change(path, body):
        if path != "/v1":
            return body
        return {**body, "credentials": [{"system": "schedules", "expires_at": None, "acts_as": "bob@example.com"}]}

    app = QuashApp(Wire(local, change).client, utf8=True)
    async with app.run_test(size=(160, 40)) as pilot:
        await Desk(app, pilot, local).sees("| schedules as bob@example.com |")


async def test_it_stands_in_the_header_and_goes_when_the_token_was_renewed(local: Service) -> None:
    left = timedelta(minutes=7, seconds=30)

    def change(path, body):
        if path != "/v1":
            return body
        return {**body, "credentials": [{"system": "cases", "expires_at": stamp(datetime.now(UTC) + left)}]}

    wire = Wire(local, change)
    app = QuashApp(wire.client, utf8=True)
    async with app.run_test(size=(120, 40)) as pilot:
        desk = Desk(app, pilot, local)
        await desk.sees("may write | token expires in 7 min")
        header = app.screen.query_one(Header)
        left = timedelta(hours=8)
        app.tokens.look()
        await desk.until(lambda: "token" not in header.render().plain)
        wire.cut = True
        app.tokens.look()
        await app.workers.wait_for_complete()
        assert app.notice is None, "whoever reads items says what is wrong"


@pytest.mark.parametrize("over", ["9 min", "within a minute", "expired"])
@pytest.mark.parametrize("read_only", [False, True])
async def test_it_is_read_whole_in_eighty_columns(read_only: bool, over: str) -> None:
    now = datetime.now(UTC)
    ends = now + {"9 min": timedelta(seconds=599), "within a minute": timedelta(seconds=30)}.get(over, timedelta(0))
    credentials = [CredentialModel(system="commands", expires_at=stamp(ends))]
    canned = Canned(
        profile="europe",
        environment="production",
        operator="jane.van.der.berg@example.com",
        read_only=read_only,
        credentials=credentials,
    )
    app = Console(canned.client, utf8=True, clock=lambda: now)
    async with app.run_test(size=(80, 24)) as pilot:
        await Operator(app, pilot).sees("PRODUCTION", f"{ending(credentials, now)} ")
        first = app.screen.query_one(Header).render().plain
        assert " 4 Runs " in first
        assert first.rstrip().endswith(ending(credentials, now))
        assert ("read-only" in first) == read_only


WITHIN = timedelta(minutes=7, seconds=30)


def token_ending(end: datetime) -> str:
    return issue_token(KEY, "jane@example.com", now=end - WITHIN, permissions=("operate",), ttl=WITHIN)


def profile(folder: Path, text: str) -> BackendClient:
    """The client of a profile, as the console gets it."""
    (folder / "config.toml").write_text(f'default_profile = "prod"\n[profiles.prod]\n{text}')
    (folder / "config.toml").chmod(0o600)
    flags = Flags(config=str(folder / "config.toml"), data=str(folder / "state"))
    return bootstrap.client(find(flags, {}, bootstrap.kinds()))


@asynccontextmanager
async def over_tokens_of_systems(folder: Path, token: Path) -> AsyncIterator[BackendClient]:
    """A profile of this host, whose cases and schedules are somebody else's and at present do not even answer."""
    named = f'url = "http://127.0.0.1:9"\ntoken_file = "{token}"'
    yield profile(
        folder, f"[profiles.prod.commands]\n[profiles.prod.cases]\n{named}\n[profiles.prod.schedules]\n{named}"
    )


@asynccontextmanager
async def over_a_token_of_a_service(folder: Path, token: Path) -> AsyncIterator[BackendClient]:
    """A profile of a quash that runs elsewhere."""
    async with serving("tcp", folder / "there") as there:
        yield profile(folder, f'service = "{there.url}"\ntoken_file = "{token}"')


@pytest.mark.parametrize("over", [over_tokens_of_systems, over_a_token_of_a_service])
async def test_it_is_told_from_the_start_on_every_screen_and_anew_each_minute(over, tmp_path: Path) -> None:
    end = datetime.now(UTC) + WITHIN
    token = tmp_path / "token"
    token.write_text(token_ending(end))
    token.chmod(0o600)
    now = end - WITHIN
    async with over(tmp_path, token) as client:
        app = QuashApp(lambda: client, utf8=True, clock=lambda: now)
        async with app.run_test(size=(120, 40)) as pilot:
            desk = Operator(app, pilot)
            await desk.sees(" | token expires in 7 min")
            await desk.press("4")
            await desk.until(lambda: app.current_mode == "runs", "Runs")
            assert "token expires in 7 min" in desk.text.splitlines()[0], "a screen that is new knows it, too"
            now += timedelta(minutes=1)
            await desk.sees("token expires in 6 min")
            now = end
            await desk.sees("token has expired")
