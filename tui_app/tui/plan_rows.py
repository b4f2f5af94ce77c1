"""The items of a plan in groups: what changed since it was seen, what is blocked and why, what will be cancelled."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING

from textual.content import Content

from tui_app.glyphs import Glyphs
from tui_app.tui.left import left
from tui_app.tui.outcomes import AMBER, BAD, GOOD, QUIET
from tui_app.tui.pages import Pages
from tui_app.tui.text import id_cell, phrase, safe
from tui_app.tui.verbs import words

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanItemModel, PlanModel

    Fetch = Callable[[str, int | None, int], Awaitable[tuple[list[PlanItemModel], int | None]]]

FEW = 3
"""Items of a group that are shown until it is opened."""

SYSTEM = 10
"""Cells for the name of a system."""

LEFT = 13
"""Cells for the time left."""

CANCELLABLE = "OK"


@dataclass(frozen=True, slots=True)
class Row:
    """One item: what it is called, what is to be said of it, and by when it has to be done.

    ``system`` stands before it in a plan over several. ``blocked`` is said of it for why it is; of any other only its
    status is known from the plan.
    """

    id: str
    said: str
    due: str | None = None
    system: str = ""
    blocked: bool = True


class Group:
    """A title and the rows beneath it; the last group of a plan is open from the start."""

    def __init__(self, title: Content, pages: Pages[Row, int], total: int, *, opened: bool) -> None:
        self.title, self.pages, self.total, self.opened = title, pages, total, opened

    @property
    def shown(self) -> int:
        """How many of its rows are shown."""
        return self.total if self.opened else min(self.total, FEW)

    @property
    def lines(self) -> int:
        """Title, rows, and a line for those that are not shown."""
        return 1 + self.shown + (self.shown < self.total)


class Groups:
    """All groups as one list of lines."""

    def __init__(self, plan: PlanModel, fetch: Fetch, glyphs: Glyphs, clock: Callable[[], datetime]) -> None:
        self._glyphs, self._clock = glyphs, clock
        self._groups = [*_changed(plan, glyphs), *_blocked(plan, fetch, glyphs), *_cancellable(plan, fetch, glyphs)]
        self._several, self._due = len(plan.targets) > 1, plan.soonest is not None
        self._about: dict[tuple[str, str], str] = {}
        if self._groups:
            self._groups[-1].opened = True

    @property
    def count(self) -> int:
        """How many lines there are."""
        return sum(group.lines for group in self._groups)

    def toggle(self, index: int) -> int:
        """Open or fold the group that a line belongs to; its title's line is given back."""
        group, first = self._at(index)
        group.opened = not group.opened
        return first

    def covers(self, first: int, last: int) -> bool:
        """Whether there is nothing to read between two lines."""
        return all(group.pages.covers(top, bottom) for group, top, bottom in self._between(first, last))

    async def load(self, first: int, last: int) -> None:
        """Read the rows between two lines."""
        for group, top, bottom in self._between(first, last):
            await group.pages.load(top, bottom)

    def unknown(self, first: int, last: int) -> dict[str, list[str]]:
        """The ids between two lines, by system, of which no more than the status is known."""
        found: dict[str, list[str]] = {}
        for group, top, bottom in self._between(first, last):
            for row in map(group.pages.row, range(top, bottom + 1)):
                if row is not None and not row.blocked and (row.system, row.id) not in self._about:
                    found.setdefault(row.system, []).append(row.id)
        return found

    def learn(self, system: str, ids: Iterable[str], about: Mapping[str, str]) -> None:
        """What one decides by, of those of the ids where it is known; the others are not asked for again."""
        self._about |= {(system, one): about.get(one, "") for one in ids}

    def _between(self, first: int, last: int) -> Iterator[tuple[Group, int, int]]:
        start = 0
        for group in self._groups:
            top, bottom = max(first - start - 1, 0), min(last - start - 1, group.shown - 1)
            if top <= bottom:
                yield group, top, bottom
            start += group.lines

    def draw(self, index: int, width: int) -> Content | None:
        """A line; nothing for a row that has not been read."""
        if not 0 <= index < self.count:
            return None
        group, first = self._at(index)
        line = index - first - 1
        if line < 0:
            return group.title
        if line == group.shown:
            return phrase("    {} {} more; enter shows them", self._glyphs["cut"], group.total - group.shown).stylize(
                QUIET
            )
        row = group.pages.row(line)
        return None if row is None else self._row(row, width)

    def _row(self, row: Row, width: int) -> Content:
        """Of which system, where there are several; the id; the time left, where any item has a deadline; the rest.

        The rest is why it is blocked, else what one decides by, else its status. The items of a system stand together,
        as they were planned.
        """
        parts = [safe(row.system).truncate(SYSTEM, ellipsis=True, pad=True)] if self._several else []
        room = max(12, width - 4 - sum(part.cell_length for part in parts))
        parts.append(id_cell(row.id, min(46, room * 2 // 5 if self._due else room // 2)))
        if self._due:
            time = left(row.due, self._clock())
            said = safe(time.words if time else "")
            said = said.stylize(AMBER) if time and (time.close or time.past) else said
            parts.append(said.truncate(LEFT, pad=True))
        return phrase(
            "  {} {}", phrase(" ").join(parts), safe(self._about.get((row.system, row.id)) or row.said, style=QUIET)
        )

    def _at(self, index: int) -> tuple[Group, int]:
        ends = list(accumulate(group.lines for group in self._groups))
        number = min(bisect_right(ends, index), len(ends) - 1)
        return self._groups[number], ends[number - 1] if number else 0


def _changed(plan: PlanModel, glyphs: Glyphs) -> list[Group]:
    drift = plan.drift
    if drift is None:
        return []
    groups = []
    for kind, number, said in (
        ("changed", drift.changed, "{} {} changed since seen, can still be {}"),
        ("gone", drift.gone, "{} {} changed since seen, cannot be {} any more"),
    ):
        rows = [
            Row(one.id, one.reason or f"{one.before}, now {one.after}", system=one.system)
            for one in drift.examples
            if one.kind == kind
        ]
        if number:
            title = phrase(said, glyphs["warning"], number, words(plan.verb).done).stylize(AMBER)
            groups.append(Group(title, Pages(_given(rows), total=len(rows)), len(rows), opened=True))
    return groups


def _given(rows: list[Row]) -> Callable[[int | None, int], Awaitable[tuple[list[Row], int | None]]]:
    async def fetch(_after: int | None, _limit: int) -> tuple[list[Row], int | None]:
        return rows, None

    return fetch


def _blocked(plan: PlanModel, fetch: Fetch, glyphs: Glyphs) -> list[Group]:
    return [
        _group(phrase("{} {} blocked: {}", glyphs["no"], one.count, one.code).stylize(BAD), one.code, one.count, fetch)
        for one in plan.blocked
    ]


def _cancellable(plan: PlanModel, fetch: Fetch, glyphs: Glyphs) -> list[Group]:
    number = plan.counts.cancellable
    if not number:
        return []
    title = phrase("{} {} will be {}", glyphs["yes"], number, words(plan.verb).done).stylize(GOOD)
    return [_group(title, CANCELLABLE, number, fetch)]


def _group(title: Content, code: str, number: int, fetch: Fetch) -> Group:
    async def rows(after: int | None, limit: int) -> tuple[list[Row], int | None]:
        items, following = await fetch(code, after, limit)
        return [
            Row(item.id, item.reason or item.status, item.due, item.system, blocked=not item.cancellable)
            for item in items
        ], following

    return Group(title, Pages(rows, total=number), number, opened=False)
