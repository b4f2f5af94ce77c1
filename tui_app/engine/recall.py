"""What a run recorded of the cancellations that can be brought back, and surveys for an undo that know of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from tui_app.domain.describe import Verb
from tui_app.domain.errors import NotFound
from tui_app.domain.items import Seen
from tui_app.domain.plan import PlanHead
from tui_app.domain.ports import RecallsMade, System
from tui_app.domain.run import ItemState, Made
from tui_app.domain.stores import RunStore
from tui_app.domain.verdict import YES

PAGE = 500


async def made_by(runs: RunStore, run_id: str) -> AsyncIterator[tuple[str, str, Made]]:
    """What a run cancelled and was given a window for: system, id, and what was recorded of it.

    Raises:
        NotFound: there is no such run.
    """
    after = -1
    while page := await runs.items(run_id, after=after, limit=PAGE, state=ItemState.CANCELLED):
        for one in page:
            answer = None if one.outcome is None else one.outcome.answer
            if answer is not None and answer.undo_until is not None:
                made = Made(one.key, one.sent_at, answer.undo_until, answer.message)
                yield one.item.system, one.item.seen.id, made
        after = page[-1].item.position


def _meant(seen: Seen) -> Seen:
    return replace(seen, verdict=YES) if seen.verdict.needs_again else seen


class Recall:
    """Surveys of one plan; for the undo of a run, systems that want to know are told what that run recorded."""

    def __init__(self, runs: RunStore, head: PlanHead) -> None:
        self._runs = runs
        self._head = head
        self._made: dict[str, dict[str, Made]] | None = None

    async def survey(self, name: str, system: System, ids: Sequence[str]) -> list[Seen]:
        """What is to be seen of each id now, for the verb of the plan; what needs to be meant is free where it is."""
        if self._head.verb is not Verb.REINSTATE or not isinstance(system, RecallsMade):
            seen = await system.survey(ids, self._head.verb)
            return [_meant(one) for one in seen] if self._head.again else seen
        recorded = (await self._recorded()).get(name, {})
        return await system.survey_undo(ids, {one: recorded[one] for one in ids if one in recorded})

    async def _recorded(self) -> Mapping[str, Mapping[str, Made]]:
        if self._made is None:
            self._made = {}
            try:
                if self._head.undoes is not None:
                    async for name, item_id, made in made_by(self._runs, self._head.undoes):
                        self._made.setdefault(name, {})[item_id] = made
            except NotFound:
                # The plan came as a file from another journal, and that run with it.
                self._made = {}
        return self._made
