"""A run, watched: a view of the journal. Closing it changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui_app.domain.errors import QuashError, Unavailable
from tui_app.domain.moments import known
from tui_app.domain.plan import with_hash
from tui_app.tui.actions import RUN, State
from tui_app.tui.gates import shut
from tui_app.tui.notices import RETRY_SECONDS
from tui_app.tui.outcomes import run_look, worked
from tui_app.tui.pace import Pace
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.screens.choose import Choose
from tui_app.tui.steering import Steering
from tui_app.tui.terminal import name_window
from tui_app.tui.text import counted, phrase, safe
from tui_app.tui.widgets.progress import Progress
from tui_app.tui.widgets.run_detail import RunDetail
from tui_app.tui.widgets.run_items import RunItems
from tui_app.tui.widgets.scrolling import scroll

if TYPE_CHECKING:
    from tui_app.contract.runs import RunItemModel, RunModel

POLL_SECONDS = 0.25
"""How often a run is read: often enough to be watched, seldom enough to cost nothing."""

TRAIL_SECONDS = 0.15
"""How long the cursor has to rest on an item before its trail is read."""

LONG_SECONDS = 10.0
"""A run that took longer rings when it ends: by then the operator looks elsewhere."""


class RunScreen(QuashScreen[None], inherit_bindings=False):
    """One run by its id, from confirming to the end and afterwards."""

    PLACE = RUN
    GIVES_WAY = True
    AUTO_FOCUS = "#run-items"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id
        self._run: RunModel | None = None
        self._pace = Pace()
        self._item: tuple[str, str, str | None] | None = None
        self._watching = True
        self._headed: Content | None = None
        self._steering = Steering(self, lambda: self._run, self._tell)

    def body(self) -> Iterator[Widget]:
        yield Static(phrase("Run {}", self._run_id), id="run-head", markup=False)
        yield Progress(id="run-progress")
        yield Horizontal(RunItems(self._run_id), RunDetail(id="run-detail"), id="run-body")

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(1, self._tick)

    def targets(self) -> tuple[object, ...]:
        return (self, self._steering, self.query_one(RunItems))

    def state(self) -> State:
        rows = self._run.items if self._run else 0
        return replace(super().state(), rows=rows, item=rows > 0, **self._steering.facts())

    # Watching

    def connected(self) -> None:
        self.start(self._watch(), group="watch")

    act_refresh = connected

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self._run is not None:
            self.connected()

    def act_auto(self) -> None:
        self._watching = not self._watching
        self.quash.say(phrase("Watching.") if self._watching else phrase("No longer watching; the run goes on."))
        if self._watching:
            self.connected()

    async def _watch(self) -> None:
        while True:
            try:
                run = await self.client.runs.get(self._run_id)
            except Unavailable as error:
                # Watching goes on: the run does, too, and another read that succeeds would end the banner's own trying.
                self.quash.present(error)
                await asyncio.sleep(error.retry_after or RETRY_SECONDS)
                continue
            self._tell(run)
            if run.over or not self._watching:
                return
            await asyncio.sleep(POLL_SECONDS)

    def _tell(self, run: RunModel) -> None:
        before, self._run = self._run, run
        if shut(run, self.quash.clock()):
            self._pace.forget()
        else:
            self._pace.note(time.monotonic(), worked(run)[0])
        head = _head(run)
        if head != self._headed:
            self._headed = head
            self.query_one("#run-head", Static).update(head)
        self.query_one(Progress).tell(run, self._pace, self.quash.clock())
        self.query_one(RunItems).tell(run)
        if before is None:
            self.start(self._learn(run.plan), group="plan")
        if before is None or before != run:
            self.state_changed()
        if before is not None and not before.over and run.over:
            self._ended(run)

    async def _learn(self, plan: str) -> None:
        """Which systems it is about; the run itself does not say."""
        self.query_one(RunItems).name_systems((await self.client.plans.get(plan)).targets)

    def _tick(self) -> None:
        """The windows of a run go on closing, and its gates opening, when nothing more is watched."""
        run = self._run
        if run is not None and (run.undo is not None or run.gates or run.silent) and self.is_current:
            self.query_one(Progress).tell(run, self._pace, self.quash.clock())
            self.state_changed()

    def _ended(self, run: RunModel) -> None:
        started, ended = known(run.started_at), known(run.ended_at)
        if started is not None and ended is not None and (ended - started).total_seconds() > LONG_SECONDS:
            self.app.bell()
            name_window(self.quash, f"quash: run {run.id[:8]} {run_look(run).word}")

    # The item under the cursor

    def on_run_items_moved(self, event: RunItems.Moved) -> None:
        item = event.item
        at = None if item is None else (item.id, item.state, item.verified)
        if at != self._item:
            self._item = at
            self.query_one(RunDetail).tell(item)
            if item is not None:
                self.start(self._trail(item), group="trail")

    async def _trail(self, item: RunItemModel) -> None:
        await asyncio.sleep(TRAIL_SECONDS)
        detail = self.query_one(RunDetail)
        try:
            detail.tell(item, await self.client.items.trail(item.system, item.id))
        except QuashError as error:
            detail.tell(item, problem=error.message)
            if isinstance(error, Unavailable):
                raise

    def act_run_item(self) -> None:
        """Go into the item to scroll it, and back."""
        detail = self.query_one(RunDetail)
        (self.query_one(RunItems).items if detail.has_focus else detail).focus()

    def act_move(self, where: str) -> None:
        detail = self.query_one(RunDetail)
        if detail.has_focus:
            scroll(detail, where)
        else:
            self.query_one(RunItems).act_move(where)

    # Leaving

    def step_back(self) -> bool:
        if self._run is not None and not self._run.over:
            self.quash.say(phrase("The run goes on; {} shows it again.", self.quash.key_of("go_runs")))
        return False

    def act_leave(self) -> None:
        if self._run is None or self._run.over:
            self.dismiss(None)
        else:
            self.quash.open_later(self._ask_to_detach())

    async def _ask_to_detach(self) -> None:
        detach = "Detach: the run goes on"
        if await self.app.push_screen_wait(Choose(phrase("Detach? The run goes on."), ["Stay here", detach])) == detach:
            self.dismiss(None)


def _head(run: RunModel) -> Content:
    parts = [
        phrase("Run {}", run.id).stylize("bold"),
        *([phrase("reinstates").stylize("bold")] if run.verb == "reinstate" else []),
        phrase("plan {}", with_hash(run.plan, run.plan_hash)),
        counted(run.items, "item"),
        phrase("by {}", run.operator),
        safe(run.reason),
    ]
    return phrase(" · ").join(parts)
