"""Asking again where no answer came: a run goes on whoever looks, and one lost answer says nothing of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from tui_app.cli.deadline import Deadline
from tui_app.domain.errors import OutcomeUnknown, QuashError, Refused, Unavailable

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.client.backend import BackendClient
    from tui_app.contract.runs import RunModel

T = TypeVar("T")

SILENCE = 60.0
"""Seconds without an answer after which it is not waited for any longer."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds; the pause between two tries doubles."""


class OutOfSight(Exception):
    """No answer came for as long as one is waited for, or none will come; ``why`` is what was in the way at last."""

    def __init__(self, why: QuashError) -> None:
        super().__init__(why.message)
        self.why = why


async def answered(ask: Callable[[], Awaitable[T]], deadline: Deadline, told: Callable[[QuashError], None]) -> T:
    """What is answered in the end; ``told`` is called with each error on the way.

    Raises:
        OutOfSight: nothing was answered for ``SILENCE``, or until the deadline.
        TimeoutError: the deadline passed before the first try had come to an end.
        Refused: that was the answer.
    """
    ends = time.monotonic() + min(SILENCE, deadline.left)
    pause, trouble = FIRST_PAUSE, None
    while True:
        left = ends - time.monotonic()
        if trouble is not None and left <= 0:
            raise OutOfSight(trouble)
        try:
            async with asyncio.timeout(left):
                return await ask()
        except (Unavailable, OutcomeUnknown) as error:
            trouble = error
        except TimeoutError as error:
            if trouble is None:
                raise
            raise OutOfSight(trouble) from error
        told(trouble)
        await asyncio.sleep(max(0.0, min(pause, ends - time.monotonic())))
        pause = min(pause * 2, LONGEST_PAUSE)


class Sight:
    """A run that is confirmed, as somebody sees it who waits for it; ``run`` is how it was seen last."""

    def __init__(self, call: Call, client: BackendClient, run: RunModel) -> None:
        self.run = run
        self.deadline = Deadline(call)
        self._talk = call.talk
        self._client = client
        self._silent = False

    async def look(self) -> RunModel:
        """Look at it once more.

        Raises:
            OutOfSight: it cannot be seen any longer, which says nothing of whether it goes on.
            TimeoutError: the time is up.
        """
        self.run = await self.of(self.run.id)
        return self.run

    async def of(self, run: str) -> RunModel:
        """Another run, looked at with the same patience, and with the same errors."""
        try:
            seen = await answered(lambda: self._client.runs.get(run), self.deadline, self._tell)
        except Refused as refused:
            raise OutOfSight(refused) from refused
        self._silent = False
        return seen

    def _tell(self, why: QuashError) -> None:
        """Once each time that it goes out of sight, since nothing is to be done about it."""
        if not self._silent:
            most = f"{min(SILENCE, max(0.0, self.deadline.left)):.0f} s"
            self._talk.tell(f"{why.message}; run {self.run.id} may go on meanwhile, and is looked for again for {most}")
        self._silent = True
        self._talk.progress(f"no answer; looking for run {self.run.id} again")
