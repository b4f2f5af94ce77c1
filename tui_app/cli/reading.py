"""How far a plan is that is made, or read again, and what keeps it waiting; told to whoever waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.cli.deadline import Deadline, TimeIsUp, seconds_to
from tui_app.client.progress import held_up, so_far
from tui_app.domain.errors import RateLimited

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.contract.plans import PlanModel


class Reading:
    """Draws each state of a plan; where nothing is drawn, each wait is a line of its own."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._deadline = Deadline(call)
        self._told: tuple[str, str | None] | None = None

    def __call__(self, plan: PlanModel) -> None:
        """Tell of a plan as it stands.

        Raises:
            RateLimited: it has to wait for longer than ``--timeout`` lets us.
            TimeIsUp: ``--timeout`` has passed.
        """
        if self._deadline.left <= 0:
            raise TimeIsUp(f"--timeout has passed, and plan {plan.id} is not read yet: {held_up(plan) or so_far(plan)}")
        line, talk = held_up(plan), self._call.talk
        talk.progress(line or f"{'' if plan.drift is None else 'again: '}{so_far(plan)}")
        if line is None or plan.waiting is None:
            return
        self._check_time(plan, line)
        wait = (plan.waiting.system, plan.waiting.until)
        if not talk.draws and wait != self._told:
            talk.tell(line)
        self._told = wait

    def _check_time(self, plan: PlanModel, line: str) -> None:
        until = None if plan.waiting is None else plan.waiting.until
        if until is not None and self._deadline.before(until):
            hint = "Nothing was sent. Take a longer --timeout, or come back later."
            left = max(0.0, seconds_to(until))
            raise RateLimited(f"{line}; that is beyond --timeout", hint=hint, retry_after=left)
