"""kill -9 of a real runner that sends one by one over HTTP: what was answered is on disk, and is not sent again."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.case_server import CASE, JANE, TOKEN, CaseServer, Kept
from support.cut_runner import Confirmed, Cut, confirmed
from support.published_cases import Case, OlderCases, published
from support.raw_server import Answered, Asked, threaded_server
from support.schedule_servers import SECRET, LuxarisPosts, told
from tui_app.cli.main import main
from tui_app.clock import SystemClock
from tui_app.domain.run import ItemState

NUMBER = 120
HELD = 0.05
"""Seconds between the last answer and the kill: by then an answer has to be on disk."""

KILLS, AFTER = 6, 5
"""So many kills at most, each after so many answers. A machine that does something else may hold up one of them."""

IN_FLIGHT = 16
"""So many requests a runner has on their way at most."""


class Kind:
    """A server that is sent to one by one: its profile, its items, and the effects by its own record."""

    system = "cases"
    profile = ""

    def __init__(self, cut: Cut) -> None:
        self.cut = cut
        self.ids: list[str] = []

    @contextmanager
    def listening(self) -> Iterator[str]:
        with threaded_server(self.handle) as server:
            yield server.url

    def handle(self, asked: Asked) -> Answered:
        raise NotImplementedError

    def effects(self) -> list[str]:
        raise NotImplementedError


class DocumentedCases(Kind):
    """The case API as it is documented: keys, and an audit that tells them."""

    def __init__(self, cut: Cut) -> None:
        super().__init__(cut)
        self.server = CaseServer(clock=SystemClock())  # type: ignore[arg-type]
        self.ids = [f"CASE-{number:03}" for number in range(NUMBER)]
        self.server.cases = {one: Kept() for one in self.ids}

    def handle(self, asked: Asked) -> Answered:
        answer = self.server.handle(asked)
        if asked.method == "POST" and (found := CASE.fullmatch(asked.path)):
            self.cut.took(found[1], asked.headers["x-idempotency-key"], asked.body)
        return answer

    def effects(self) -> list[str]:
        return [item for item, _ in self.server.effects]


class PublishedCases(Kind):
    """The older public specification: its audit tells no keys."""

    profile = "paths = { cases = '/v2/cases', permission = 'none' }\n"

    def __init__(self, cut: Cut) -> None:
        super().__init__(cut)
        self.ids = [f"{1_000 + number}" for number in range(NUMBER)]

        class Cutting(OlderCases):
            def route(self, method: str, parts: list[str], headers: Any, body: Any) -> Any:
                answer = super().route(method, parts, headers, body)
                if method == "POST":
                    cut.took(parts[2], headers["x-idempotency-key"], repr(body).encode())
                return answer

        self.server = Cutting({one: Case() for one in self.ids})

    @contextmanager
    def listening(self) -> Iterator[str]:
        with published(self.server) as url:
            yield url

    def effects(self) -> list[str]:
        return self.server.effects


class Schedules(Kind):
    """A service that takes schedules one at a time, and cannot tell later by whom one was cancelled."""

    system = "schedules"
    profile = "auth = 'x-session-id'\n"

    def __init__(self, cut: Cut) -> None:
        super().__init__(cut)
        self.posts = LuxarisPosts()
        later = told(datetime.now(UTC) + timedelta(hours=5))
        self.ids = [self.posts.add(run_at=later) for _ in range(NUMBER)]
        self.posts.clock = SystemClock()  # type: ignore[assignment]

    def handle(self, asked: Asked) -> Answered:
        answer = self.posts.handle(asked)
        if asked.method == "POST" and asked.path.endswith("/cancel"):
            item = asked.path.split("/")[-2]
            self.cut.took(item, item, asked.body)
        return answer

    def effects(self) -> list[str]:
        return [item for item, _ in self.posts.effects]


KINDS = (DocumentedCases, PublishedCases, Schedules)


class Site:
    """A run over one of these servers, confirmed and not begun."""

    def __init__(self, kind: Kind, run: Confirmed, cut: Cut, url: str) -> None:
        self.kind, self.run, self.cut, self._url = kind, run, cut, url
        self.in_doubt: set[str] = set()
        self.known: set[str] = set()

    def kill(self) -> set[str] | None:
        """Kill one more runner: the items whose answer went out before, and of which nothing is found.

        None where some of them have an outcome: their chunk was over by then, and needed no notes.
        """
        since = len(self.cut.changes)
        self.run.killed(self.cut, AFTER, HELD)
        # What the dead runner had on its way has come to the server by the time that this is answered.
        httpx.get(f"{self._url}/nothing", trust_env=False)
        found = self.run.items()
        answered = {one.item for one in self.cut.changes[since:] if one.answered}
        assert len(answered) >= AFTER
        assert len(self.cut.changes) - since - len(answered) <= IN_FLIGHT
        noted = {item for item in answered if found[item].noted is not None}
        over = {item for item in answered if found[item].state is not ItemState.SENDING}
        self.known |= noted | over
        self.in_doubt |= {one.item for one in self.cut.changes[since:]} - noted - over
        return None if over else answered - noted


@pytest.fixture
def site(
    request: pytest.FixtureRequest, own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Site]:
    made, broken = request.param
    cut = Cut()
    kind: Kind = made(cut)
    monkeypatch.setenv("QUASH_CASES_TOKEN", "opaque" if made is PublishedCases else TOKEN)
    monkeypatch.setenv("QUASH_SCHEDULES_TOKEN", SECRET)
    with kind.listening() as url:
        profile = f"[profiles.far]\nenvironment = 'local'\n[profiles.far.{kind.system}]\nurl = '{url}'\n{kind.profile}"
        (own_home / "config" / "config.toml").write_text(profile, encoding="utf-8")
        words = ["cancel", kind.system, *kind.ids, "--operator", JANE, "--reason", "duplicate request"]
        run = confirmed([*words, "--expect-count", str(NUMBER)], monkeypatch, capsys, *broken)
        yield Site(kind, run, cut, url)


def sites(*kinds: tuple[str, type[Kind]]) -> pytest.MarkDecorator:
    """Sites of these kinds, whose runners note as the word before each says; without a word as they are."""
    given = [pytest.param((kind, (how,) if how else ()), id=f"{kind.__name__} {how}".strip()) for how, kind in kinds]
    return pytest.mark.parametrize("site", given, indirect=True)


def is_all_found(site: Site) -> bool:
    """Whether after one of so many kills every answer that had gone out is found."""
    return any(site.kill() == set() for _ in range(KILLS))


@sites(*(("", kind) for kind in KINDS))
def test_an_answer_is_found_50_ms_after_it_went_out_and_nothing_is_sent_again(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_all_found(site)
    # And once more, so that a runner is killed on what others have left.
    site.kill()
    site.run.finish()
    times = Counter(one.item for one in site.cut.changes)
    assert {item for item in times if times[item] > 1} <= site.in_doubt - site.known
    requests = {(one.key, one.item, one.body) for one in site.cut.changes}
    assert len(requests) == len({one.key for one in site.cut.changes}) == NUMBER
    assert sorted(site.kind.effects()) == sorted(site.kind.ids), "each once"
    found = site.run.items()
    assert {found[item].state for item in site.known} == {ItemState.CANCELLED}
    ours = ItemState.CANCELLED, ItemState.ALREADY_CANCELLED, ItemState.UNKNOWN
    assert {one.state for one in found.values()} <= set(ours)
    capsys.readouterr()
    assert main(["ledger", "verify", "--operator", JANE]) == 0


@sites(("late", DocumentedCases), ("nothing", Schedules))
def test_a_runner_that_notes_nothing_or_late_is_found(site: Site) -> None:
    """The test above can fail."""
    assert site.kill()
