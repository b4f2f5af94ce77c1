"""The review: what a plan would do, why, and the words that confirm it. It acts on nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from textual.app import App
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui_app.domain.errors import InvalidReason, OutcomeUnknown, PlanExpired, QuashError
from tui_app.domain.plan import PlanState
from tui_app.tui.actions import REVIEW
from tui_app.tui.confirming import Confirmation, Draft, Limits, Review, name, numbers, progress
from tui_app.tui.outcomes import AMBER, clock
from tui_app.tui.reasons import Reasons
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.text import phrase, safe
from tui_app.tui.widgets.plan_view import PlanView
from tui_app.tui.widgets.review_form import ReviewForm

if TYPE_CHECKING:
    from tui_app.client.backend import BackendClient
    from tui_app.contract.models import SystemModel
    from tui_app.contract.work import PlanModel, PlanRequest

PAGE = 500

_drafts: WeakKeyDictionary[App[Any], Draft] = WeakKeyDictionary()


def draft_of(app: App[Any]) -> Draft:
    """What was entered at the last review and not yet used."""
    return _drafts.setdefault(app, Draft())


class ReviewScreen(QuashScreen[None], inherit_bindings=False):
    """A view of one plan, from its making to its confirmation.

    ``confirmed()`` gives what the operator confirmed, as often as they do, and None once they left: a confirmation
    that the service refuses comes back here, with what to do, and nothing that was entered is lost.
    """

    PLACE = REVIEW
    AUTO_FOCUS = "#review-reason"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012

    def __init__(self, of: PlanRequest | PlanModel) -> None:
        super().__init__()
        self._of = of
        self._review = Review(Limits())
        self._draft = draft_of(self.quash)
        self._reasons = Reasons(self)
        self._answers: asyncio.Queue[Confirmation | None] = asyncio.Queue()
        self._sending = False
        self._making = False
        self._run: str | None = None

    def body(self) -> Iterator[Widget]:
        yield Static(phrase("A plan is being made."), id="review-numbers", markup=False)
        yield PlanView()
        yield ReviewForm(self._draft)

    @property
    def form(self) -> ReviewForm:
        """The fields."""
        return self.query_one(ReviewForm)

    def systems(self) -> list[SystemModel]:
        """The systems that the plan is about, as far as the profile has them."""
        plan = self._review.plan
        found = [self.quash.system(system) for system in (plan.targets if plan else ())]
        return [system for system in found if system is not None]

    def targets(self) -> tuple[object, ...]:
        return (self, self.form, self._reasons, self.query_one(PlanView))

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
        self._sending = False
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
            self.quash.dropping = True
            self.app.switch_screen(RunScreen(self._run))

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._give_way()

    # Making the plan

    def connected(self) -> None:
        if self.about is not None and self._review.plan is None and not self._making:
            self._review.limits = Limits.of(self.about)
            self._making = True
            self.start(self._make(), group="plan")

    def act_renew(self) -> None:
        if self._making or self._sending:
            self.quash.say(phrase("One moment: the plan is being made, or confirmed."))
            return
        self._making = True
        self.form.confirmation.value = ""
        self.start(self._make(again=True), group="plan")

    async def _make(self, *, again: bool = False) -> None:
        try:
            if again and self._review.plan is not None:
                self._of = self._review.request or await same_items(self.client, self._review.plan)
            plan = await self._planned()
        except QuashError as error:
            self.form.refuse(error)
            return
        finally:
            self._making = False
        self._show(plan)
        # Counted apart, since it is a read of its own and best effort: the plan can be confirmed without it.
        self._show(await self.client.plans.get(plan.id, arrived=True))

    async def _planned(self) -> PlanModel:
        from tui_app.contract.work import PlanModel

        plans, of = self.client.plans, self._of
        if not isinstance(of, PlanModel):
            self._review.request = of
            of = await plans.start(of)
        elif of.state == PlanState.READY:
            # It was made a while ago: what moved since belongs on the screen before anybody confirms.
            return await plans.check(of.id, self._grow)
        self._of = of
        return await plans.finished(of, self._grow)

    def _grow(self, plan: PlanModel) -> None:
        self._review.take(plan)
        if plan.drift is not None:
            head = phrase("Plan {} is read again: {} of {}", name(plan), plan.drift.read, plan.counts.items)
        else:
            head = phrase(
                "A plan is being made: {}. It goes on when you leave; {} finds it again.",
                safe(progress(plan)),
                self.quash.key_of("go_runs"),
            )
        self.query_one("#review-numbers", Static).update(head)

    def _show(self, plan: PlanModel) -> None:
        self._review.take(plan)
        if plan.reason and not self.form.reason.value:
            self.form.write(plan.reason)
        self.query_one("#review-numbers", Static).update(_headline(plan))
        self.query_one(PlanView).tell(plan)
        self.form.hint(", ".join(dict.fromkeys(one.reason_goes_to for one in self.systems() if one.reason_goes_to)))
        self._expect()
        self.state_changed()

    def _expect(self) -> None:
        self.form.tell(self._review)
        try:
            plan = self._review.check()
        except QuashError as error:
            self.form.refuse(error)
            return
        verb = "reinstate" if plan.verb == "reinstate" else "cancel"
        self.form.say(phrase("type {} to {} {}", safe(plan.phrase).stylize("bold"), verb, plan.counts.cancellable))

    # Confirming

    def on_review_form_edited(self, event: ReviewForm.Edited) -> None:
        self.form.tell(self._review)
        if event.confirmation and not self._sending and not self._making:
            self._expect()

    def on_review_form_submitted(self) -> None:
        if self._sending:
            return
        form = self.form
        try:
            confirmed = self._review.confirm(
                form.reason.value, form.confirmation.value, notify=form.notifies, accept_drift=form.accepts_drift
            )
        except QuashError as error:
            form.refuse(error)
            if isinstance(error, InvalidReason):
                form.reason.focus()
            return
        self._sending = True
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
        if self._sending:
            self.quash.say(phrase("It is being confirmed; wait for the answer."))
        return self._sending

    def at_stake(self) -> Content | None:
        return phrase("the reason that was typed at a review") if self.form.reason.value else None

    def on_unmount(self) -> None:
        self._answers.put_nowait(None)


def _headline(plan: PlanModel) -> Content:
    parts = [phrase("Plan {}", name(plan)), safe(plan.selection, 80), safe(numbers(plan), style="bold")]
    if plan.arrived:
        parts.append(phrase("+{} have arrived since", plan.arrived).stylize(AMBER))
    parts.append(phrase("expires {}", clock(plan.expires_at)))
    return phrase(" · ").join(parts)


async def same_items(client: BackendClient, plan: PlanModel) -> PlanRequest:
    """What to ask for to plan the items of a plan once more, whatever they were selected by."""
    from tui_app.contract.work import PlanRequest, SelectionModel

    ids: dict[str, list[str]] = {}
    after: int | None = None
    while True:
        page = await client.plans.items(plan.id, after=after, limit=PAGE)
        for item in page.items:
            ids.setdefault(item.system, []).append(item.id)
        if page.next is None:
            break
        after = page.next
    selections = [SelectionModel(system=system, ids=those) for system, those in ids.items()]
    return PlanRequest.model_validate({"selections": selections, "verb": plan.verb, "reason": plan.reason})
