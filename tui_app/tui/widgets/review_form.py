"""The fields of the review: reason, confirmation, options, and the command line that would do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Static

from tui_app.domain.errors import InvalidReason
from tui_app.tui.impact_text import tells
from tui_app.tui.notices import told
from tui_app.tui.text import phrase, safe
from tui_app.tui.widgets.fields import ConfirmationField, LineEnded, Option, ReasonField

if TYPE_CHECKING:
    from tui_app.domain.errors import QuashError
    from tui_app.tui.app import QuashApp
    from tui_app.tui.confirming import Review
    from tui_app.tui.drafts import Draft

WHY, WHY_TOLD = "why", "why; whoever is told will read it"


class ReviewForm(Vertical):
    """The reason has the focus first; the confirmation follows it, and the options follow that.

    Enter in the reason goes on to the confirmation once there is a reason; only there does it post ``Submitted``.
    ``Edited`` follows every change.
    """

    app: QuashApp

    class Edited(Message):
        """Something was entered; ``answered`` says that what stands beneath the confirmation no longer holds."""

        def __init__(self, answered: bool) -> None:
            super().__init__()
            self.answered = answered

    class Meant(Message):
        """What was cancelled before is meant to be cancelled once more, or not any more."""

        def __init__(self, again: bool) -> None:
            super().__init__()
            self.again = again

    class Submitted(Message):
        """Enter was pressed in the confirmation."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(id="review-form")
        self._draft = draft
        self._hinted: Content | None = None
        self._lacks_reason = False

    def compose(self) -> ComposeResult:
        with Horizontal(classes="review-line"):
            yield Static("Reason", classes="review-label", markup=False)
            yield ReasonField(self._draft.reason, placeholder=WHY, id="review-reason")
        yield Static("", id="review-hint", markup=False)
        with Horizontal(classes="review-line"):
            yield Static("Confirm", classes="review-label", markup=False)
            yield ConfirmationField(id="review-confirmation")
        yield Static("", id="review-say", markup=False)
        with Horizontal(id="review-options"):
            yield Option(phrase("notify stakeholders"), self._draft.notify, id="review-notify", compact=True)
            yield Option(phrase("also what changed"), False, id="review-drift", compact=True)
            yield Option(phrase("also what was cancelled before"), False, id="review-again", compact=True)
        yield Static("", id="review-command", markup=False)

    def on_mount(self) -> None:
        self.query_one("#review-drift").display = False
        self.query_one("#review-notify").display = False
        self.query_one("#review-again").display = False

    @property
    def reason(self) -> ReasonField:
        """The field of the reason."""
        return self.query_one("#review-reason", ReasonField)

    @property
    def confirmation(self) -> ConfirmationField:
        """The field of the typed words."""
        return self.query_one("#review-confirmation", ConfirmationField)

    @property
    def notifies(self) -> bool:
        """Whether stakeholders are told; also where there are none, for whom nothing was chosen."""
        option = self.query_one("#review-notify", Checkbox)
        return option.value or not option.display

    @property
    def accepts_drift(self) -> bool:
        """Whether what changed since is cancelled, too."""
        return self.query_one("#review-drift", Checkbox).value

    def write(self, reason: str) -> None:
        """Put a reason into its field, to be gone on with."""
        self.reason.value = reason
        self.reason.cursor_position = len(reason)
        self.reason.focus()

    def tell(self, review: Review) -> None:
        """Show what the plan allows, and the command line for what is entered."""
        plan = review.plan
        changed = plan is not None and plan.drift is not None and plan.drift.changed > 0
        self.query_one("#review-drift").display = changed
        told = plan is not None and tells(plan)
        # Whoever was told of a cancellation is not told that it was undone.
        self.reason.placeholder = WHY_TOLD if plan is not None and plan.verb == "cancel" else WHY
        self.query_one("#review-notify").display = told
        before = plan is not None and (plan.again or plan.needs_again > 0)
        self.query_one("#review-again").display = before
        self.mean(plan is not None and plan.again)
        self.query_one("#review-options").display = changed or told or before
        line = review.command_line(self.reason.value, notify=self.notifies, accept_drift=self.accepts_drift)
        shown = phrase("the same: {}", safe(line, 1000)) if line else phrase("")
        self.query_one("#review-command", Static).update(shown)

    def mean(self, again: bool) -> None:
        """Show whether the plan holds what was cancelled before."""
        option = self.query_one("#review-again", Checkbox)
        with option.prevent(Checkbox.Changed):
            option.value = again

    def hint(self, told: Content) -> None:
        """Who will read the reason, and as what."""
        if told != self._hinted:
            self._hinted = told
            self.query_one("#review-hint", Static).update(told)

    def say(self, text: Content, tone: str = "") -> None:
        """What is expected, or what is in the way; it stays until it is no longer so."""
        line = self.query_one("#review-say", Static)
        line.set_class(tone == "refused", "-refused")
        line.update(text)
        self._lacks_reason = False

    def refuse(self, error: QuashError) -> None:
        """Why this cannot be confirmed as it is, and what to do."""
        self.say(phrase("{} {}", self.app.glyphs["warning"], told(error).text), "refused")
        self._lacks_reason = isinstance(error, InvalidReason)

    def act_next_field(self) -> None:
        self._step(1)

    def act_previous_field(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        options = [option for option in self.query(Checkbox) if option.display]
        ring: list[Widget] = [self.reason, self.confirmation, *options]
        focused = self.screen.focused
        at = ring.index(focused) + by if focused in ring else 0
        ring[at % len(ring)].focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input is self.reason:
            self._draft.reason = event.value
            answered = self._lacks_reason and self.reason.lack is None
        else:
            answered = True
        self.post_message(self.Edited(answered))

    def on_reason_field_lacking(self, event: ReasonField.Lacking) -> None:
        event.stop()
        self.refuse(event.error)

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        event.stop()
        if event.checkbox.id == "review-again":
            self.post_message(self.Meant(event.value))
            return
        if event.checkbox.display and event.checkbox.id == "review-notify":
            self._draft.notify = event.value
        self.post_message(self.Edited(False))

    def on_confirmation_field_pasted(self, event: ConfirmationField.Pasted) -> None:
        event.stop()
        mark = self.app.glyphs["warning"]
        self.say(phrase("{} A paste confirms nothing. Type it, so that it is you who confirms.", mark), "refused")

    def on_line_ended(self, event: LineEnded) -> None:
        event.stop()
        mark = self.app.glyphs["warning"]
        text = phrase("{} A line's end came together with text, as in a paste, and did nothing. ", mark)
        self.say(phrase("{}Press enter to {}.", text, Content(event.then)), "refused")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Submitted())
