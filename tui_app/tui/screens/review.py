"""The review: what a plan would do, why, and the words that confirm it. It acts on nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from textual.app import App
from textual.content import Content
from textual.widget import Widget

from tui_app.domain.errors import InvalidReason, OutcomeUnknown, PlanExpired, QuashError
from tui_app.domain.plan import PlanState
from tui_app.tui.actions import REVIEW
from tui_app.tui.confirming import Confirmation, Limits, Review
from tui_app.tui.drafts import Drafts
from tui_app.tui.impact_text import Entered, read_by
from tui_app.tui.making import Making
from tui_app.tui.reasons import Reasons
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.text import phrase, safe
from tui_app.tui.verbs import words
from tui_app.tui.widgets.plan_view import PlanView
from tui_app.tui.widgets.review_form import ReviewForm
from tui_app.tui.widgets.review_head import ReviewHead

if TYPE_CHECKING:
    from tui_app.contract.models import SystemModel
    from tui_app.contract.plans import PlanModel, PlanRequest

_drafts: WeakKeyDictionary[App[Any], Drafts] = WeakKeyDictionary()


def drafts_of(app: App[Any]) -> Drafts:
    """What was entered at the reviews of a console and not used yet."""
    return _drafts.setdefault(app, Drafts())


class ReviewScreen(QuashScreen[None], inherit_bindings=False):
    """A view of one plan, from its making to its confirmation.

    ``confirmed()`` gives what the operator confirmed, as often as they do, and None once they left: a confirmation
    that the service refuses comes back here, with what to do, and nothing that was entered is lost.
    """

    PLACE = REVIEW
    AUTO_FOCUS = "#review-reason"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012

    def __init__(self, of: PlanRequest | PlanModel, hidden: int = 0) -> None:
        super().__init__()
        self._hidden = hidden
        self.review = Review(Limits(), invocation=self.quash.invocation)
        self.of = of
        self._draft = drafts_of(self.quash).of(of)
        self._reasons = Reasons(self)
        self._answers: asyncio.Queue[Confirmation | None] = asyncio.Queue()
        self.sending = False
        self._making = Making(self, of)
        self._run: str | None = None

    def body(self) -> Iterator[Widget]:
        yield ReviewHead(self._hidden)
        yield PlanView()
        yield ReviewForm(self._draft)

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(1, self._tick)

    @property
    def head(self) -> ReviewHead:
        """What stands above."""
        return self.query_one(ReviewHead)

    @property
    def form(self) -> ReviewForm:
        """The fields."""
        return self.query_one(ReviewForm)

    def systems(self) -> list[SystemModel]:
        """The systems that the plan is about, as far as the profile has them."""
        plan = self.review.plan
        found = [self.quash.places.system(system) for system in (plan.targets if plan else ())]
        return [system for system in found if system is not None]

    def targets(self) -> tuple[object, ...]:
        return (self, self._making, self.form, self._reasons, self.query_one(PlanView))

    async def confirmed(self) -> Confirmation | None:
        """The next confirmation; None once the review was left."""
        return await self._answers.get()

    def started(self, run: str) -> None:
        """It is a run now: the review gives way to it, as soon as nothing stands above."""
        self._run = run
        if self.is_current:
            self._give_way()

    def refuse(self, error: QuashError) -> None:
        """The service refused what was confirmed; it is shown here until something is done about it."""
        self.sending = False
        if isinstance(error, OutcomeUnknown):
            again = "Press enter again: it is one run, however often it is confirmed."
            error = OutcomeUnknown(error.message, hint=again)
        if isinstance(error, PlanExpired):
            hint = f"{self.quash.key_of('renew')} makes a new one; the reason stays. Nothing was sent."
            error = PlanExpired(error.message, hint=hint)
        self.form.refuse(error)

    def _give_way(self) -> None:
        from tui_app.tui.screens.run import RunScreen

        if self._run is not None:
            self.app.switch_screen(RunScreen(self._run))

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._give_way()

    # The plan

    def connected(self) -> None:
        if self.about is not None and self.review.plan is None:
            self.review.limits = Limits.of(self.about)
            self._making.begin()

    def show(self, plan: PlanModel) -> None:
        """Show the plan as it is made."""
        self.review.take(plan)
        if plan.reason and not self.form.reason.value:
            self.form.write(plan.reason)
        self.head.tell(plan)
        self._expect()
        self.state_changed()

    def _follow(self) -> None:
        """What depends on the fields: the command line, what happens, and what is read by whom."""
        self.form.tell(self.review)
        plan = self.review.plan
        if plan is not None and plan.state == PlanState.READY:
            systems = self.systems()
            goes_to = list(dict.fromkeys(one.reason_goes_to for one in systems if one.reason_goes_to))
            titles = {one.system: one.many for one in systems}
            self.query_one(PlanView).tell(plan, notify=self.form.notifies)
            self.form.hint(read_by(plan, goes_to, Entered(self.form.reason.value, self.form.notifies), titles))

    def _tick(self) -> None:
        if self.is_current:
            self.head.tick()
            self.query_one(PlanView).tick()

    def _expect(self) -> None:
        self._follow()
        try:
            plan = self.review.check()
        except QuashError as error:
            self.form.refuse(error)
            return
        typed = safe(self.review.expected(plan)).stylize("bold")
        asked = phrase("type {} to {} {}", typed, words(plan.verb).do, plan.counts.cancellable)
        if plan.counts.blocked:
            of = phrase("of {} in the plan, {} blocked", plan.counts.items, plan.counts.blocked)
            asked = phrase("{} {}", asked, of)
        self.form.say(asked)

    # Confirming

    def on_review_form_edited(self, event: ReviewForm.Edited) -> None:
        self._follow()
        if event.answered and not self.sending and not self._making.busy:
            self._expect()

    def on_review_form_meant(self, event: ReviewForm.Meant) -> None:
        # Another plan: its numbers, its effects and its hash are others, and so is what confirms it.
        if not self._making.mean(event.again):
            self.form.mean(not event.again)

    def on_review_form_submitted(self) -> None:
        if self.sending:
            return
        form = self.form
        try:
            confirmed = self.review.confirm(
                form.reason.value, form.confirmation.value, notify=form.notifies, accept_drift=form.accepts_drift
            )
        except QuashError as error:
            form.refuse(error)
            if isinstance(error, InvalidReason):
                form.reason.focus()
            return
        self.sending = True
        form.say(phrase("Confirming."))
        self._answers.put_nowait(confirmed)

    # Moving and leaving

    def act_panes(self) -> None:
        """Between the fields, the items and the impact."""
        view = self.query_one(PlanView)
        impact = view.query_one("#review-impact")
        following = impact if view.items.has_focus else self.form.reason if impact.has_focus else view.items
        following.focus()

    def step_back(self) -> bool:
        if self.sending:
            self.quash.say(phrase("It is being confirmed; wait for the answer."))
        return self.sending

    def at_stake(self) -> Content | None:
        return phrase("the reason that was typed at a review") if self.form.reason.value else None

    def on_unmount(self) -> None:
        self._answers.put_nowait(None)
