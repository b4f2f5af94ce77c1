"""Above a review: which plan it is, its numbers, and how long there is to confirm it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from tui_app.domain.advice import gone
from tui_app.domain.plan import with_hash
from tui_app.tui.confirming import numbers, progress
from tui_app.tui.left import left
from tui_app.tui.outcomes import AMBER, clock
from tui_app.tui.text import lines, phrase, safe
from tui_app.tui.verbs import words

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanModel
    from tui_app.contract.runs import RunModel
    from tui_app.tui.app import QuashApp


class ReviewHead(Static):
    """The numbers of a plan, and beneath them the time left until it is too late for the first of its items."""

    app: QuashApp

    def __init__(self, hidden: int) -> None:
        super().__init__(phrase("A plan is being made."), id="review-numbers", markup=False)
        self._hidden = hidden
        self._plan: PlanModel | None = None
        self._told: Content | None = None
        self._undone: RunModel | None = None

    def undoes(self, run: RunModel) -> None:
        """The run that the plan brings back; one that is not over would go on cancelling meanwhile."""
        self._undone = run
        self.tick()

    def growing(self, plan: PlanModel) -> None:
        """How far it is made, or read again."""
        if plan.drift is not None:
            told = phrase("Plan {} is read again: {}", plan.id, safe(progress(plan)))
        else:
            told = phrase(
                "A plan is being made: {}. It goes on when you leave; {} finds it again.",
                safe(progress(plan)),
                self.app.key_of("go_runs"),
            )
        self._say(told)

    def failed(self, before: PlanModel | None) -> None:
        """Nothing is being made any more, and there is nothing to confirm; why not is said beneath the fields.

        ``before`` is the plan that was made before and could not be read again, where there is one.
        """
        self._plan = None
        what = phrase("No plan could be made")
        if before is not None:
            what = phrase("Plan {} could not be read again", before.id)
        back, again = self.app.key_of("back"), self.app.key_of("renew")
        told = phrase("{}, and nothing was sent. {} goes back, {} tries again.", what, back, again)
        self._say(told.stylize(f"bold {AMBER}"))

    def tell(self, plan: PlanModel) -> None:
        """Show a plan that is made."""
        self._plan = plan
        self.tick()

    def tick(self) -> None:
        """Say the time that is left as it is by now."""
        if self._plan is not None:
            told = [self._line(self._plan), self._gone(self._plan), self._due(self._plan), self._paused()]
            self._say(lines(*(line for line in told if line is not None)))

    def _say(self, told: Content) -> None:
        if told != self._told:
            self._told = told
            self.update(told)

    def _line(self, plan: PlanModel) -> Content:
        parts = [
            phrase("Plan {}", with_hash(plan.id, plan.hash)),
            safe(plan.selection, 80),
            safe(numbers(plan), style="bold"),
        ]
        if len(plan.by_system) > 1:
            # These are what will be done and not what is in the plan: without saying so they would not add up.
            of = phrase(", ").join([self._of(system, count) for system, count in plan.by_system.items()])
            parts[1:] = [parts[2], phrase("will be {}: {}", words(plan.verb).done, of)]
        if plan.claimed_by is not None:
            parts.append(phrase("its file says that {} made it", safe(plan.claimed_by, 60)))
        if self._hidden:
            parts.append(phrase("{} hidden by the filter", self._hidden).stylize(AMBER))
        if plan.arrived:
            parts.append(phrase("+{} have arrived since", plan.arrived).stylize(AMBER))
        parts.append(phrase("expires {}", clock(plan.expires_at)))
        return phrase(" · ").join(parts)

    def _of(self, name: str, count: int) -> Content:
        system = self.app.places.system(name)
        word = name if system is None else system.one if count == 1 else system.many
        return phrase("{} {}", count, safe(word, 40))

    def _paused(self) -> Content | None:
        if self._undone is None or self._undone.over or self._undone.state == "paused":
            return None
        said = phrase("{} run {} is paused when you confirm", self.app.glyphs["warning"], self._undone.id[:8])
        return said.stylize(f"bold {AMBER}")

    def _gone(self, plan: PlanModel) -> Content | None:
        if not plan.missing:
            return None
        said = phrase("{} {}", self.app.glyphs["warning"], safe(gone(plan.missing), 200))
        return said.stylize(f"bold {AMBER}")

    def _due(self, plan: PlanModel) -> Content | None:
        time = left(plan.soonest, self.app.clock())
        if time is None:
            return None
        verb = words(plan.verb)
        said = phrase("{} {} {}", self.app.glyphs["warning"], verb.missed if time.past else verb.soonest, time.words)
        return said.stylize(f"bold {AMBER}") if time.close or time.past else said
