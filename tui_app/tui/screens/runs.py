"""The place of runs: what runs, what ran, and plans that no run came of yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui_app.domain.moments import known
from tui_app.domain.plan import PlanState
from tui_app.glyphs import Glyphs
from tui_app.tui import gates
from tui_app.tui.actions import RUNS, State
from tui_app.tui.confirming import numbers, progress
from tui_app.tui.outcomes import QUIET, day_and_time, plan_look, run_look, tally
from tui_app.tui.path import open_review
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.screens.run import RunScreen
from tui_app.tui.steering import Steering
from tui_app.tui.text import counted, id_cell, phrase, safe
from tui_app.tui.undoing import brief, sentence
from tui_app.tui.widgets.line_filter import LineFilter
from tui_app.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanModel
    from tui_app.contract.runs import RunModel

POLL_SECONDS = 1.0

WIDE, WIDEST = 100, 118
"""Cells of a row from which it has the id, and from which it has the operator."""

NAME = 17
"""Cells for the id of a run or plan: all of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A run, or a plan without one."""

    run: RunModel | None = None
    plan: PlanModel | None = None

    @property
    def id(self) -> str:
        """Of the one or the other."""
        return self.run.id if self.run else self.plan.id if self.plan else ""

    @property
    def at(self) -> str:
        """When it was made."""
        return self.run.created_at if self.run else self.plan.created_at if self.plan else ""

    def lapsed(self, now: datetime) -> bool:
        """Whether it is a plan that was made and can be applied no longer: it was only looked at, and left."""
        plan = self.plan
        if plan is None or plan.interrupted or plan.state == PlanState.BUILDING:
            return False
        until = known(plan.expires_at)
        return until is not None and until <= now

    def holds(self, text: str) -> bool:
        """Whether a text stands in what is shown of it."""
        told = self.run or self.plan
        if told is None:
            return False
        parts = [told.id, told.state, told.operator, told.reason or "", self.plan.selection if self.plan else ""]
        return text.casefold() in " ".join(parts).casefold()


class RunsScreen(QuashScreen[None], inherit_bindings=False):
    """Newest first; enter opens the run, or the review of the plan."""

    PLACE = RUNS
    AUTO_FOCUS = "#runs-list"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._all: list[Entry] = []
        self._unreadable: list[str] = []
        self._shown: list[Entry] = []
        self._watching = True
        self._read = False
        self._as_of = ""
        self._told: Content | None = None
        self._steering = Steering(self, self._run, self._changed)

    def body(self) -> Iterator[Widget]:
        yield LineFilter("a word of the reason, the operator, the state or the id")
        yield Static(phrase("Runs are being read."), id="runs-head", markup=False)
        yield RowList(self._draw, id="runs-list")

    @property
    def rows(self) -> RowList:
        """The list."""
        return self.query_one(RowList)

    @property
    def filter(self) -> LineFilter:
        """The filter above it."""
        return self.query_one(LineFilter)

    def targets(self) -> tuple[object, ...]:
        return (self, self._steering, self.rows)

    def state(self) -> State:
        rows = len(self._shown)
        under = self._under()
        plan = under.plan if under else None
        standing = None if plan is None else "interrupted" if plan.interrupted else plan.state
        return replace(super().state(), rows=rows, item=rows > 0, plan=standing, **self._steering.facts())

    # Reading

    def connected(self) -> None:
        if self.is_current:
            self._as_of = ""
            self.start(self._watch(), group="watch")

    act_refresh = connected

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.about is not None:
            self.connected()

    def on_screen_suspend(self) -> None:
        self.workers.cancel_group(self, "watch")

    def act_auto(self) -> None:
        self._watching = not self._watching
        self.connected()

    async def _watch(self) -> None:
        while True:
            listed, planned = await self.client.runs.listed(), await self.client.plans.listed()
            runs, plans = listed.runs, planned.plans
            self.quash.link.answered()
            applied = {run.plan for run in runs}
            entries = [*(Entry(run=run) for run in runs), *(Entry(plan=one) for one in plans if one.id not in applied)]
            now = self.quash.clock()
            entries = [entry for entry in entries if not entry.lapsed(now)]
            entries.sort(key=lambda entry: entry.at, reverse=True)
            unreadable = [*listed.unreadable, *planned.unreadable]
            if entries != self._all or unreadable != self._unreadable or not self._read:
                self._all, self._unreadable, self._read, self._as_of = entries, unreadable, True, self._now()
                self._tell()
            else:
                # Of a read that finds nothing new only the first is said: the others would write every second.
                self._as_of = self._as_of or self._now()
                # Nothing is new but the time that is left.
                self.rows.tick()
                self._head()
                self.state_changed()
            if not self._watching:
                return
            await asyncio.sleep(POLL_SECONDS)

    def _now(self) -> str:
        return self.quash.clock().astimezone().strftime("%H:%M:%S")

    def _changed(self, run: RunModel) -> None:
        self._all = [Entry(run=run) if entry.id == run.id else entry for entry in self._all]
        self._tell()

    def _tell(self, text: str | None = None) -> None:
        under = self._under()
        wanted = self.filter.applied if text is None else text
        self._shown = [entry for entry in self._all if entry.holds(wanted)]
        ids = [entry.id for entry in self._shown]
        if under is not None and under.id in ids:
            self.rows.cursor = ids.index(under.id)
        elif under is None:
            # What is acted on here is mostly a run; plans that were left may be newer.
            self.rows.cursor = next((at for at, entry in enumerate(self._shown) if entry.run is not None), 0)
        self.rows.say(self._empty(wanted))
        self.rows.show(len(self._shown))
        self._head()
        self.state_changed()

    def _head(self) -> None:
        """What there is, as of when, and what of the run under the cursor can be undone."""
        runs = sum(entry.run is not None for entry in self._shown)
        plans = len(self._shown) - runs
        there = phrase("{} · {} without one", counted(runs, "run"), counted(plans, "plan"))
        read = phrase("as of {}", self._as_of)
        if self._watching:
            read = phrase("{} · every {} s", read, round(POLL_SECONDS))
        if self._unreadable:
            there = phrase("{} · cannot be read: {}; see `quash ledger verify`", there, ", ".join(self._unreadable))
        run = self._run()
        undo = sentence(run, self.quash.clock()) if run else None
        parts = [there, phrase("newest first"), read] if undo is None else [there, undo, read]
        # In one line whatever is under the cursor: a list that moves up and down is misread.
        while len(parts) > 2 and phrase(" · ").join(parts).cell_length > self.app.size.width - 2:
            del parts[1 if undo is None else 0]
        told = phrase(" · ").join(parts)
        if told != self._told:
            self._told = told
            self.query_one("#runs-head", Static).update(told)

    def _empty(self, wanted: str) -> Content:
        if self._unreadable and not self._all:
            return phrase("Nothing here can be read: the journal is not as it was written.")
        if self._all:
            return phrase("Nothing here holds {}. {} changes the filter.", wanted, self.quash.key_of("filter"))
        go, review = self.quash.key_of("go_commands"), self.quash.key_of("review")
        return phrase(
            "No run yet. {} goes to Commands, where {} reviews what is marked; a run begins there.", go, review
        )

    def _under(self) -> Entry | None:
        at = self.rows.cursor
        return self._shown[at] if at < len(self._shown) else None

    def _run(self) -> RunModel | None:
        under = self._under()
        return under.run if under else None

    # Acting

    def on_row_list_moved(self) -> None:
        self._head()
        self.state_changed()

    def act_open_run(self) -> None:
        under = self._under()
        if under is not None and under.run is not None:
            self.app.push_screen(RunScreen(under.run.id))
        elif under is not None and under.plan is not None:
            open_review(self.quash, under.plan)

    def act_pause(self) -> None:
        under = self._under()
        if under is not None and under.plan is not None:
            self.start(self._resume_plan(under.plan.id), group="steer")
        else:
            self._steering.act_pause()

    async def _resume_plan(self, plan_id: str) -> None:
        plan = await self.client.plans.resume(plan_id)
        self._all = [Entry(plan=plan) if entry.id == plan_id else entry for entry in self._all]
        self._tell()
        self.quash.say(phrase("Plan {} is being made again.", plan_id))

    def act_filter(self) -> None:
        self.filter.open()

    def on_line_filter_typed(self, event: LineFilter.Typed) -> None:
        self._tell(event.text)

    def on_line_filter_entered(self, event: LineFilter.Entered) -> None:
        self.filter.accept(event.text)
        self._tell()
        self.rows.focus()

    def step_back(self) -> bool:
        if not self.filter.drop():
            return False
        self._tell()
        self.rows.focus()
        return True

    def _draw(self, index: int, width: int) -> Content | None:
        if index >= len(self._shown):
            return None
        entry, glyphs = self._shown[index], self.quash.glyphs
        if entry.run is None:
            return _plan_line(entry.plan, width, glyphs)
        return _run_line(entry.run, width, glyphs, self.quash.clock())


def _run_line(run: RunModel, width: int, glyphs: Glyphs, now: datetime) -> Content:
    state = run_look(run).content(glyphs).truncate(15, ellipsis=True, pad=True)
    counts = tally(run, brief=True)
    if width < WIDE:
        room = max(20, width - 36)
        told = counts.truncate(room // 2, ellipsis=True, pad=True)
        return phrase(" {} {} {} {}", _when(run.created_at), state, told, safe(run.reason))
    told = phrase(" · ").join([part for part in (counts, gates.brief(run, now), brief(run, now)) if part is not None])
    return _wide_line(width, _when(run.created_at), state, run.id, told, run.operator, run.reason)


def _plan_line(plan: PlanModel | None, width: int, glyphs: Glyphs) -> Content:
    if plan is None:
        return Content("")
    state = plan_look(plan).content(glyphs).truncate(15, ellipsis=True, pad=True)
    told = safe(numbers(plan) if plan.state == "ready" else plan.error or progress(plan), 200, QUIET)
    if width < WIDE:
        return phrase(" {} {} {}", _when(plan.created_at), state, told)
    return _wide_line(width, _when(plan.created_at), state, plan.id, told, plan.operator, plan.reason or "")


def _wide_line(
    width: int, when: Content, state: Content, named: str, told: Content, operator: str, reason: str
) -> Content:
    """The name of the run or plan, by which the command line knows it too, stands before its numbers."""
    parts = [when, state, id_cell(named, NAME), told.truncate(36 if width >= WIDEST else 28, ellipsis=True, pad=True)]
    if width >= WIDEST:
        parts.append(safe(operator).truncate(16, ellipsis=True, pad=True))
    return phrase(" {}", phrase(" ").join([*parts, safe(reason)]))


def _when(moment: str) -> Content:
    return safe(day_and_time(moment)[5:])
