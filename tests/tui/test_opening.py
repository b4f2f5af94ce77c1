"""Keys that are typed while a screen is on its way act on nothing, for every action of the registry that opens one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual import events
from textual.keys import _character_to_key

from support.backend import Service
from support.canned import COMMANDS, Canned, item, plan, run
from support.console import Operator
from tui_app.contract.ledger import LedgerLine
from tui_app.contract.models import ColumnModel
from tui_app.contract.runs import UndoModel
from tui_app.domain.errors import NeedsTakeover
from tui_app.tui.actions import ITEMS, LEDGER, RUNS
from tui_app.tui.app import OPENING, QuashApp
from tui_app.tui.marking import Marking
from tui_app.tui.screens.choose import Choose
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.screens.run import RunScreen

PROBES = ("tab", "k", "shift+tab")
"""Keys that are heard on every screen, and open nothing."""

STAYING = {"suspend", "editor", "quit", "level_up", "leave", "filter", "palette", "back"}
"""Actions that leave the console or the screen, and those after which letters are typed: into the filter, into the
palette, which is Textual's and takes every key from the first on."""

RUN_ID = "r0123456789abcdef"
LATER = "2999-01-02T03:04:05.000000Z"


class Recorded(QuashApp):
    """Notes every action that a key performs."""

    DEFAULT_MODE = "runs"
    performed: list[str]

    async def action_perform(self, id: str) -> None:
        self.performed.append(id)
        await super().action_perform(id)


class Leaky(Recorded):
    """Hears every key, whatever is on its way."""

    def for_another(self, event: events.Key) -> bool:
        return False


def undoable(**facts: Any) -> Any:
    """A run of which something can be undone, something retried, and something stopped."""
    known = {"undo": UndoModel(items=1, first_closes=LATER, last_closes=LATER), "state": "paused"}
    return run(item(0), item(1, "refused", code="REFUSED"), item(2, "pending"), **{**known, **facts})


def canned_runs(**facts: Any) -> Canned:
    column = ColumnModel(
        field="status",
        title="Status",
        kind="status",
        width=9,
        flexible=False,
        priority=0,
        sortable=False,
        groupable=False,
    )
    canned = Canned(systems=[COMMANDS.model_copy(update={"columns": [column]})])
    canned.plan(plan(2))
    canned.run(undoable(**facts), item(0), item(1, "refused", code="REFUSED"), item(2, "pending"))
    for verb in ("undo", "retry"):
        canned.answers["POST", f"/v1/runs/{RUN_ID}/{verb}"] = plan(2, id="p1")
    canned.answers["POST", f"/v1/runs/{RUN_ID}/resume"] = NeedsTakeover("it is bob's")
    at = "2026-01-02T03:04:05.000000Z"
    canned.ledger(LedgerLine(seq=1, hash="ab" * 32, at=at, event="planned", operator="jane@example.com", plan="p1"))
    return canned


@asynccontextmanager
async def opened(kind: type[Recorded], client: Callable[[], Any], mode: str) -> AsyncIterator[Operator]:
    app = kind(client, utf8=True)
    app.performed = []
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        operator = Operator(app, pilot)
        await operator.until(lambda: app.about is not None, "an answer")
        app.switch_mode(mode)
        await operator.until(lambda: app.current_mode == mode and not app.dropping, mode)
        yield operator


def on_its_way(app: QuashApp) -> bool:
    return not all(one.is_finished for one in app.workers if one.group == OPENING)


async def acted(operator: Operator, settled: Callable[[], bool], tried: Collection[str] = ()) -> dict[str, list[str]]:
    """What the keys behind each action did that opened a screen, by action; the place is as before in the end."""
    app = operator.app
    assert isinstance(app, Recorded)
    place, mode, found = app.screen, app.current_mode, {}
    for action in app.keymap.at(app.top.PLACE):
        staying = action.id in {*STAYING, *tried} or hasattr(Marking, f"act_{action.id}")
        if staying or action.why_disabled(app.top.state()) is not None:
            continue
        app.performed.clear()
        key = app.keymap.keys(action)[0]
        operator.burst(key if len(key) > 1 else _character_to_key(key), *PROBES)
        await operator.until(lambda: app.performed, action.id)
        await operator.pilot.pause()
        await operator.until(lambda: app.screen is not place or not on_its_way(app), action.id)
        if app.screen is not place:
            found[action.id] = app.performed[app.performed.index(action.id) + 1 :]
        while app.current_mode == mode and app.screen is not place:
            await operator.until(lambda: not app.dropping, "the screen")
            app.screen.dismiss(None)
            await operator.pilot.pause()
        app.switch_mode(mode)
        await operator.until(lambda: app.screen is place and not app.dropping and settled(), "the place again")
    return found


async def of_runs(kind: type[Recorded], *states: str) -> dict[str, list[str]]:
    """In the list of runs, over a run that is paused; and what a run has to be finished for."""
    found: dict[str, list[str]] = {}
    for state in states:
        canned = canned_runs(state=state)
        async with opened(kind, canned.client, RUNS) as operator:
            await operator.until(lambda state=state: operator.app.top.state().run == state, "the run")
            found |= await acted(operator, lambda state=state: operator.app.top.state().run == state, found)
    return found


async def test_keys_behind_an_action_that_opens_a_screen_act_on_nothing_in_runs():
    found = await of_runs(Recorded, "paused", "finished")
    assert set(found) >= {"undo", "retry", "stop", "pause", "export", "open_run", "help", "go_ledger", "command_line"}
    assert {name: then for name, then in found.items() if then} == {}


async def test_a_console_that_hears_every_key_is_found():
    found = await of_runs(Leaky, "paused")
    assert [name for name, then in found.items() if then] != []


async def test_keys_behind_an_action_that_opens_a_screen_act_on_nothing_in_a_run():
    canned = canned_runs(state="finished")
    async with opened(Recorded, canned.client, RUNS) as operator:
        operator.app.push_screen(RunScreen(RUN_ID))
        await operator.until(
            lambda: operator.app.top.state().run == "finished" and not operator.app.dropping, "the run"
        )
        # The number of the place that the run stands on closes the run.
        found = await acted(operator, lambda: operator.app.top.state().run == "finished", {"go_runs"})
    assert set(found) >= {"undo", "export", "help", "retry"}
    assert {name: then for name, then in found.items() if then} == {}


async def test_keys_behind_an_action_that_opens_a_screen_act_on_nothing_in_the_ledger():
    canned = canned_runs()
    async with opened(Recorded, canned.client, LEDGER) as operator:
        await operator.until(lambda: operator.app.top.state().item, "an entry")
        found = await acted(operator, lambda: operator.app.top.state().item)
    assert set(found) >= {"entry", "export", "help", "go_runs"}
    assert {name: then for name, then in found.items() if then} == {}


async def test_keys_behind_an_action_that_opens_a_screen_act_on_nothing_among_items(local: Service):
    async with opened(Recorded, lambda: local.client_of("jane@example.com", "operate"), "commands") as operator:
        await operator.until(lambda: operator.app.top.state().item, "an item")
        assert operator.app.top.PLACE == ITEMS
        found = await acted(operator, lambda: operator.app.top.state().item)
    assert set(found) >= {"detail", "review", "copy", "help", "go_runs", "command_line"}
    assert {name: then for name, then in found.items() if then} == {}


async def test_keys_behind_an_action_that_opens_a_screen_act_on_nothing_in_a_review():
    canned = canned_runs()
    async with opened(Recorded, canned.client, RUNS) as operator:
        await operator.until(lambda: operator.app.top.state().run == "paused", "the run")
        await operator.press("u")
        await operator.on(ReviewScreen)
        await operator.sees("will be cancelled")
        operator.app.performed.clear()
        operator.burst("f3", "tab", "f6")
        await operator.on(Choose)
        assert operator.app.performed == ["templates"]


@pytest.mark.parametrize("key", ["u", "t"])
async def test_a_review_that_is_long_on_its_way_is_not_lost_by_further_keys(key: str):
    canned, gate = canned_runs(state="finished"), asyncio.Event()
    answer = plan(2, id="p1")

    async def late(_: Any) -> Any:
        await gate.wait()
        return answer

    for verb in ("undo", "retry"):
        canned.answers["POST", f"/v1/runs/{RUN_ID}/{verb}"] = late
    async with opened(Recorded, canned.client, RUNS) as operator:
        await operator.until(lambda: operator.app.top.state().run == "finished", "the run")
        await operator.press(key)
        await operator.until(lambda: len(canned.paths()) == 1, "the request")
        await operator.press("S", "space", "enter", "4")
        assert operator.app.performed == ["undo" if key == "u" else "retry"]
        gate.set()
        await operator.on(ReviewScreen)
        assert canned.paths() == [canned.paths()[0], "/v1/plans/p1/check"]


async def test_escape_gives_up_a_screen_that_does_not_come():
    canned, gate = canned_runs(), asyncio.Event()

    async def late(_: Any) -> Any:
        await gate.wait()
        return plan(2)

    canned.answers["POST", f"/v1/runs/{RUN_ID}/undo"] = late
    async with opened(Recorded, canned.client, RUNS) as operator:
        await operator.until(lambda: operator.app.top.state().run == "paused", "the run")
        await operator.press("u")
        await operator.until(lambda: canned.paths(), "the request")
        await operator.press("escape")
        await operator.sees("Given up. 4 goes to Runs, which show what came of it.")
        await operator.press("S")
        await operator.on(Choose)
        gate.set()
        await operator.pilot.pause()
        assert isinstance(operator.app.screen, Choose)
