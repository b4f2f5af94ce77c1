"""The way from a selection to a run: plan, review, confirmation, run. The only place that confirms anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui_app.domain.errors import QuashError
from tui_app.tui.screens.review import ReviewScreen, drafts_of
from tui_app.tui.work import Deferred

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanModel, PlanRequest
    from tui_app.tui.app import QuashApp


def open_review(
    app: QuashApp, of: PlanRequest | PlanModel, *, started: Callable[[], object] | None = None, hidden: int = 0
) -> None:
    """Open the review of a selection, or of a plan that was made before, and go on from there in the background.

    ``started`` is called once a run of it is durable: what was marked for it has served its purpose. ``hidden`` is how
    many of the marks a filter hides.
    """
    app.drop_notice()
    review = ReviewScreen(of, hidden)
    # Now and not in the worker: a second key is already meant for the review, and dropped until it stands.
    app.push_screen(review)
    app.run_worker(Deferred(app.guarded(Deferred(confirm(app, review, started)))), group="review", exit_on_error=False)


async def confirm(app: QuashApp, review: ReviewScreen, started: Callable[[], object] | None = None) -> None:
    """Run what is confirmed at a review, until that has happened or the review was left."""
    while (confirmed := await review.confirmed()) is not None:
        try:
            run = await app.client.run(confirmed.plan, confirmed.request, confirmed.key)
        except QuashError as error:
            review.refuse(error)
            continue
        drafts_of(app).used(review.of)
        if started is not None:
            started()
        review.started(run.id)


async def retry_path(app: QuashApp, run: str) -> None:
    """A new plan over what a run could not cancel, and its review."""
    open_review(app, await app.client.runs.retry(run))


async def undo_path(app: QuashApp, run: str) -> None:
    """A plan that brings back what a run cancelled, and its review."""
    open_review(app, await app.client.runs.undo(run))
