"""A console driven and read in the operator's words.

```python
await desk.on("commands").mark(3).cancel("duplicate request").expects(cancelled=3)
```

Each word waits for what it leads to, never for a time. The keys are those of the registry.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from textual.widgets import Input

from support.backend import Service, Way, serving
from support.console import Operator
from support.world import MovableClock, make_world
from tui_app.contract.runs import RunModel
from tui_app.domain.ports import System
from tui_app.systems.cases import demo as cases
from tui_app.systems.cases.embedded import EmbeddedCases
from tui_app.systems.commands.demo import NEWEST, seed
from tui_app.systems.commands.embedded import EmbeddedCommands
from tui_app.systems.schedules import demo as schedules
from tui_app.systems.schedules.embedded import EmbeddedSchedules
from tui_app.tui.app import QuashApp
from tui_app.tui.screens.items import ItemsScreen
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.screens.run import RunScreen
from tui_app.tui.widgets.item_table import ItemTable
from tui_app.tui.widgets.numbers import Numbers
from tui_app.tui.widgets.preview_panel import PreviewPanel

SMALL, LARGE = (80, 24), (120, 40)
ROWS = 300
"""Demo commands of a service: enough for several pages, and every status and verdict among them."""

_LASTING = {"review", "watch"}
"""Groups of workers that go on as long as their screen does."""

Step = Callable[[], Awaitable[None]]


class Desk(Operator):
    """The console of one operator. Words are collected and done in order when the last one is awaited."""

    def __init__(self, app: QuashApp, pilot: Any, service: Service) -> None:
        super().__init__(app, pilot, service)
        self._steps: list[Step] = []
        self._expected = 0

    def __await__(self) -> Generator[Any, None, Desk]:
        return self._do().__await__()

    async def _do(self) -> Desk:
        steps, self._steps = self._steps, []
        for step in steps:
            await step()
        return self

    def _then(self, step: Step) -> Desk:
        self._steps.append(step)
        return self

    # What is on the screen

    @property
    def items(self) -> ItemsScreen:
        assert isinstance(self.app.screen, ItemsScreen), type(self.app.screen)
        return self.app.screen

    @property
    def table(self) -> ItemTable:
        return self.items.table

    @property
    def here(self) -> str | None:
        """The id of the cursor's item."""
        return self.table.item.id if self.table.item else None

    @property
    def numbers(self) -> str:
        """The line under the table, without the time."""
        said = str(self.items.query_one(Numbers).render())
        return re.sub(r"( · )?as of [\d:]+", "", said)

    @property
    def said(self) -> list[str]:
        """The messages that have not faded yet."""
        return [notification.message for notification in self.app._notifications]

    @property
    def panel(self) -> str:
        return "\n".join(str(part.render()) for part in self.items.query_one(PreviewPanel).children)

    async def settled(self) -> None:
        """Nothing is being read, and what was read is drawn."""
        await self.pilot.pause()
        await self.until(lambda: all(one.is_finished or one.group in _LASTING for one in self.app.workers), "rest")
        await self.pilot.pause()

    # Words

    def on(self, place: str) -> Desk:  # type: ignore[override]
        """Go to a place, by its number."""

        async def step() -> None:
            await self.press(self.app.keymap.keys(_action(f"go_{place}"))[0])
            await self.until(lambda: self.app.current_mode == place and self.app.screen.is_mounted, place)
            await self.settled()
            # Before that a key is dropped, and with it what the next word is to lead to.
            await self.settled_keys()

        return self._then(step)

    def does(self, *actions: str) -> Desk:
        """Press the key of each action, and let its effect settle."""

        async def step() -> None:
            for action in actions:
                await self.press(_textual(self.app.keymap.keys(_action(action))[0]))
                await self.settled()

        return self._then(step)

    def mark(self, number: int) -> Desk:
        """Mark so many from the cursor downwards."""
        return self.does(*["mark"] * number)

    def filters(self, text: str, *, enter: bool = True) -> Desk:
        """Type a filter; enter applies it."""

        async def step() -> None:
            await self.press("slash")
            await self.type(text)
            if enter:
                await self.press("enter")
                await self.until(lambda: self.table.has_focus, "the table")
            else:
                await self.until(lambda: self.items.query_one("#filter-text", Input).value == text, text)
            await self.settled()

        return self._then(step)

    def mark_in(self, place: str, number: int) -> Desk:
        """Go to a place and mark so many there, from the first row downwards."""
        return self.on(place).does("first").mark(number)

    def cancel(self, reason: str, action: str = "review") -> Desk:
        """Review what is marked, give the reason, type what is asked for; the runner then works it off."""

        async def step() -> None:
            await self.press(self.app.keymap.keys(_action(action))[0])
            await self._confirmed(reason, "cancelled")

        return self._then(step)

    def cancel_all(self, reason: str) -> Desk:
        """The same for what is marked in all places."""
        return self.cancel(reason, "review_all")

    def undo(self, reason: str) -> Desk:
        """Bring back what the run on the screen cancelled, through a review of its own."""

        async def step() -> None:
            await self.until(lambda: "can be undone" in self.text, "what can be undone")
            await self.press("u")
            await self._confirmed(reason, "reinstated")

        return self._then(step)

    async def _confirmed(self, reason: str, done: str) -> None:
        await self.until(lambda: isinstance(self.app.screen, ReviewScreen), "the review")
        await self.settled_review(done)
        await self.type(reason)
        await self.press("enter")
        plan = (await self.service.client.plans.list())[0]
        assert plan.phrase is not None
        self._expected = plan.counts.items
        await self.type(plan.phrase)
        await self.press("enter")
        await self.until(lambda: isinstance(self.app.screen, RunScreen), "the run")
        await self.meanwhile(self.service.work((await self.last_run()).id))

    def expects(self, **counts: int) -> Desk:
        """What became of the last run: these counts, zero for the others."""

        async def step() -> None:
            run = await self.last_run()
            assert run.counts == {**dict.fromkeys(run.counts, 0), **counts}
            assert sum(run.counts.values()) == self._expected
            await self.sees(*(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items()))

        return self._then(step)

    async def last_run(self) -> RunModel:
        return (await self.service.client.runs.list())[0]

    async def settled_review(self, done: str = "cancelled") -> None:
        """The plan of the review is made."""

        def made() -> bool:
            return isinstance(self.app.screen, ReviewScreen) and f"will be {done}" in self.text

        await self.until(made, "the plan")
        await self.settled_keys()

    async def settled_keys(self) -> None:
        """Keys are heard."""
        await self.until(lambda: not self.app.dropping, "the screen that was opened")


def _action(name: str) -> Any:
    from tui_app.tui.actions import BY_ID

    return BY_ID[name]


_KEYS = {",": "comma", "/": "slash", ":": "colon", ".": "full_stop", "*": "asterisk", "\\": "backslash",
         "?": "question_mark"}  # fmt: skip


def _textual(key: str) -> str:
    return _KEYS.get(key, key)


@asynccontextmanager
async def desk_over(
    service: Service, size: tuple[int, int] = SMALL, *, messages: bool = False, **options: Any
) -> AsyncIterator[Desk]:
    """A console over a service, connected, with its first rows; ``messages`` draws what fades, which hides rows."""
    client = options.pop("client", None) or (lambda: service.client_of("jane@example.com", "operate"))
    app = QuashApp(client, utf8=True, **options)
    async with app.run_test(size=size, notifications=messages) as pilot:
        desk = Desk(app, pilot, service)
        await desk.until(lambda: app.about is not None, "an answer")
        await desk.settled()
        yield desk


@asynccontextmanager
async def demo_service(way: Way, folder: Path, rows: int = ROWS) -> AsyncIterator[Service]:
    """A service over demo commands."""
    if rows:
        seed(folder / "commands.db", rows)
    async with serving(way, folder) as service:
        service.world.clock.moment = NEWEST + timedelta(hours=1)
        yield service


@asynccontextmanager
async def whole_demo(way: Way, folder: Path, rows: int = 60) -> AsyncIterator[Service]:
    """A service over demo items of all three systems, for which it is an hour after the newest of them."""
    now = NEWEST + timedelta(hours=1)
    seed(folder / "commands.db", rows)
    cases.seed(folder / "cases.db", rows, now)
    schedules.seed(folder / "schedules.db", rows, now)
    clock = MovableClock()
    systems: dict[str, System] = {
        "commands": EmbeddedCommands(folder / "commands.db", clock),
        "cases": EmbeddedCases(folder / "cases.db", clock),
        "schedules": EmbeddedSchedules(folder / "schedules.db", clock),
    }
    async with serving(way, folder, world=make_world(folder, systems, clock)) as service:
        clock.moment = now
        yield service
