"""What a confirmation takes: the sentences of the review, and the one way from what was typed to a request.

The rules themselves are in ``domain.plan`` and ``domain.reasons``; here they are asked in the order in which
an operator can do something about them.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from tui_app.client.progress import held_up, so_far
from tui_app.domain.errors import Conflict, NotAllowed, PhraseDiffers, QuashError
from tui_app.domain.plan import PlanState, check_cap, demanded
from tui_app.domain.reasons import check_reason
from tui_app.tui.verbs import words

if TYPE_CHECKING:
    from tui_app.contract.models import About
    from tui_app.contract.plans import PlanModel, PlanRequest
    from tui_app.contract.runs import RunRequest

IDS_SPELLED = 60
"""Characters of ids that stand in the command line at most; more are referred to by their plan."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the profile allows: the environment's name, the cap, and whether it may write at all."""

    environment: str = ""
    cap: int | None = None
    read_only: bool = False

    @classmethod
    def of(cls, about: About) -> Limits:
        """Those of the profile we are on."""
        return cls(about.environment, about.cap, about.read_only)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the path hands to the client: only this can run. ``key`` was made when the review opened."""

    plan: str
    request: RunRequest
    key: str


@dataclass(slots=True)
class Review:
    """One review: the plan as far as it is made, and what may be done with it.

    ``key`` is the idempotency key of the run: however often enter is pressed, it is one run. ``failure`` is why there
    is nothing to confirm, once the making has failed. ``invocation`` begins the command line that does the same.
    """

    limits: Limits
    plan: PlanModel | None = None
    request: PlanRequest | None = None
    failure: QuashError | None = None
    invocation: tuple[str, ...] = ("quash",)
    key: str = field(default_factory=lambda: str(uuid4()))

    def take(self, plan: PlanModel) -> None:
        """The plan as it stands now; another plan is another intention, with a key of its own."""
        if self.plan is not None and self.plan.id != plan.id:
            self.key = str(uuid4())
        self.plan, self.failure = plan, None

    def fail(self, error: QuashError) -> None:
        """No plan came of it, or it could not be read again; until one does there is nothing to confirm."""
        self.failure = error

    def check(self) -> PlanModel:
        """The plan, where it can be confirmed at all.

        Raises:
            Conflict: it is still being made, could not be made, or has nothing to cancel.
            NotAllowed: the profile is read-only.
            AboveCap: with both numbers.
            QuashError: what the making failed with.
        """
        plan = self.plan
        if self.failure is not None:
            raise self.failure
        if plan is None or plan.state == PlanState.BUILDING:
            raise Conflict("the plan is still being made", hint="Wait for it, or leave: it stays under Runs.")
        if plan.state == PlanState.FAILED:
            raise Conflict(f"the plan could not be made: {plan.error}", hint="Nothing was sent; a new one can be made.")
        if self.limits.read_only:
            raise NotAllowed("this profile is read-only", hint="Open the console with a profile that may write.")
        check_cap(plan.counts.cancellable, self.limits.cap)
        if plan.phrase is None or plan.hash is None:
            raise Conflict(
                f"nothing in this plan can be {words(plan.verb).done}", hint="Leave the review and choose other items."
            )
        return plan

    def expected(self, plan: PlanModel) -> str:
        """What has to be typed: the service's words, with production in front where the profile alone calls it so."""
        return demanded(plan.phrase or "", self.limits.environment)

    def confirm(self, reason: str, typed: str, *, notify: bool, accept_drift: bool) -> Confirmation:
        """The confirmation.

        Raises:
            Conflict, NotAllowed, AboveCap: as ``check``.
            InvalidReason: saying why.
            PhraseDiffers: saying what is expected.
        """
        from tui_app.contract.runs import OptionsModel, RunRequest

        plan = self.check()
        kept = check_reason(reason)
        expected = self.expected(plan)
        if typed != expected:
            raise PhraseDiffers(f"type exactly: {expected}", hint="Nothing was sent.", expected=expected)
        options = OptionsModel(notify_stakeholders=notify, accept_drift=accept_drift)
        request = RunRequest(hash=plan.hash or "", reason=kept, options=options, phrase=plan.phrase)
        return Confirmation(plan.id, request, self.key)

    def command_line(self, reason: str, *, notify: bool, accept_drift: bool) -> str:
        """The command line that would do the same."""
        plan = self.plan
        if plan is None:
            return ""
        parts = [*self.invocation, *_what(plan, self.request), "--yes", "--expect-count", str(plan.counts.items)]
        parts += [] if notify else ["--no-notify"]
        parts += ["--accept-drift"] if accept_drift else []
        # Last, since it may be long: where the line has no room, it is the reason that is not seen whole.
        return shlex.join([*parts, "--reason", reason.strip() or "..."])


def _what(plan: PlanModel, request: PlanRequest | None) -> list[str]:
    if request is None or len(request.selections) != 1 or request.verb != "cancel":
        return ["apply", plan.id]
    chosen = request.selections[0]
    again = ["--again"] if plan.again else []
    if chosen.ids is not None and len(" ".join(chosen.ids)) <= IDS_SPELLED:
        return ["cancel", chosen.system, *chosen.ids, *again]
    if chosen.filter and not chosen.excluded:
        return ["cancel", chosen.system, "--filter", chosen.filter, *again]
    return ["apply", plan.id]


def numbers(plan: PlanModel) -> str:
    """Both numbers, labelled: what is in the plan, and what will be done."""
    counts = plan.counts
    done = words(plan.verb).done
    return f"{counts.items:,} in the plan, {counts.cancellable:,} will be {done}, {counts.blocked:,} blocked"


def progress(plan: PlanModel) -> str:
    """How far the plan is made, or read again, what keeps it waiting, and how to go on with what was left."""
    if plan.interrupted:
        return f"space resumes it; {so_far(plan)}"
    return held_up(plan) or so_far(plan)
