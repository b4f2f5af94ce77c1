"""The making of the plan that a review shows: from a selection, or from a plan that was made before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.domain.errors import NotAllowed, QuashError
from tui_app.domain.plan import PlanState
from tui_app.tui.text import phrase

if TYPE_CHECKING:
    from tui_app.client.backend import BackendClient
    from tui_app.contract.plans import PlanModel, PlanRequest
    from tui_app.tui.screens.review import ReviewScreen

PAGE = 500


class Making:
    """Makes it in the background, tells the review how far it is, and makes it anew when asked to."""

    def __init__(self, screen: ReviewScreen, of: PlanRequest | PlanModel) -> None:
        self._screen, self._of = screen, of
        self._meant: bool | None = None
        self.busy = False

    def begin(self) -> None:
        """Make the plan, unless that is under way."""
        if not self.busy:
            self.busy = True
            self._screen.start(self._make(), group="plan")

    def act_renew(self) -> None:
        screen = self._screen
        if self.busy or screen.sending:
            screen.quash.say(phrase("One moment: the plan is being made, or confirmed."))
            return
        self._anew()

    def mean(self, again: bool) -> bool:
        """Make it anew with, or without, what was cancelled before; false where that has to wait."""
        if self.busy or self._screen.sending:
            self._screen.quash.say(phrase("One moment: the plan is being made, or confirmed."))
            return False
        self._meant = again
        self._anew()
        return True

    def _anew(self) -> None:
        self.busy = True
        self._screen.form.confirmation.value = ""
        self._screen.start(self._make(anew=True), group="plan")

    async def _make(self, *, anew: bool = False) -> None:
        screen = self._screen
        head, plan = screen.head, None
        try:
            if anew and screen.review.plan is not None:
                wanted = screen.review.request or await same_items(screen.client, screen.review.plan)
                self._of = wanted if self._meant is None else wanted.model_copy(update={"again": self._meant})
            plan = await self._planned()
        except QuashError as error:
            screen.review.fail(error)
            screen.form.refuse(error)
        finally:
            self.busy = False
            if plan is None:
                # Also where something went wrong that is told elsewhere: what stands here must not promise a plan.
                head.failed(self._made_before())
        if plan is None:
            return
        screen.show(plan)
        if plan.undoes is not None:
            screen.head.undoes(await screen.client.runs.get(plan.undoes))
        # Counted apart, since it is a read of its own and best effort: the plan can be confirmed without it.
        screen.show(await screen.client.plans.get(plan.id, arrived=True))

    def _made_before(self) -> PlanModel | None:
        """The plan that the review was opened with, where that was made and not only begun."""
        from tui_app.contract.plans import PlanModel

        return self._of if isinstance(self._of, PlanModel) and self._of.state == PlanState.READY else None

    async def _planned(self) -> PlanModel:
        from tui_app.contract.plans import PlanModel

        plans, of = self._screen.client.plans, self._of
        made = self._made_before()
        if made is not None:
            # It was made a while ago: what moved since belongs on the screen before anybody confirms.
            try:
                return await plans.check(made.id, self._grow)
            except NotAllowed:
                # It can be looked at as it was made; confirming it takes the same permission.
                self._screen.quash.say(
                    phrase("Without the permission to operate it is shown as it was made."), "warning"
                )
                return await plans.get(made.id)
        if not isinstance(of, PlanModel):
            self._screen.review.request = of
            of = await plans.start(of)
        self._of = of
        return await plans.finished(of, self._grow)

    def _grow(self, plan: PlanModel) -> None:
        self._screen.review.take(plan)
        self._screen.head.growing(plan)


async def same_items(client: BackendClient, plan: PlanModel) -> PlanRequest:
    """What to ask for to plan the items of a plan once more, whatever they were selected by."""
    from tui_app.contract.plans import PlanRequest, select_ids

    ids: dict[str, list[str]] = {}
    after: int | None = None
    while True:
        page = await client.plans.items(plan.id, after=after, limit=PAGE)
        for item in page.items:
            ids.setdefault(item.system, []).append(item.id)
        if page.next is None:
            break
        after = page.next
    selections = [select_ids(system, those) for system, those in ids.items()]
    facts = {"verb": plan.verb, "reason": plan.reason, "again": plan.again}
    return PlanRequest.model_validate({"selections": selections, **facts})
