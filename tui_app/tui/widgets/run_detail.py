"""One item of a run: its outcome in full, and the system's own trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui_app.domain.advice import whose
from tui_app.domain.visible import as_written
from tui_app.tui.left import left
from tui_app.tui.outcomes import AMBER, QUIET, VERIFIED, advice, day_and_time, item_look
from tui_app.tui.text import lines, phrase, safe

if TYPE_CHECKING:
    from tui_app.contract.models import TrailModel
    from tui_app.contract.runs import RunItemModel
    from tui_app.tui.app import QuashApp


class RunDetail(VerticalScroll):
    """What is known of the item under the cursor."""

    app: QuashApp

    def compose(self) -> ComposeResult:
        yield Static("", id="run-item", markup=False)

    def tell(self, item: RunItemModel | None, trail: list[TrailModel] | None = None, problem: str = "") -> None:
        """Show an item; the trail follows when it has been read, or why it was not."""
        parts = [] if item is None else [*self._outcome(item), *_trail(trail, problem)]
        self.query_one("#run-item", Static).update(lines(*parts))

    def _outcome(self, item: RunItemModel) -> list[Content]:
        glyphs = self.app.glyphs
        told = [safe(item.id, style="bold"), item_look(item.state).content(glyphs)]
        if item.code or item.message:
            told.append(phrase("{} {}", safe(item.code or "", style="bold"), safe(item.message or "", 2000)))
        if item.state == "already_cancelled":
            told.append(safe(whose(item.ours, item.by)))
        if item.verified is not None:
            look = VERIFIED.get(item.verified)
            shown = look.content(glyphs) if look else safe(item.verified)
            told.append(phrase("{} {}", shown, safe(item.note or "", style=QUIET)))
        advised = advice(item)
        if advised is not None:
            told.append(advised.stylize(AMBER if item.state == "unknown" or item.verified == "contradicted" else QUIET))
        if item.before or item.after:
            told.append(phrase("status  {} → {}", item.before or "?", item.after or "?"))
        if item.undo_until:
            time = left(item.undo_until, self.app.clock())
            windows = phrase("undo    until {}, {}", day_and_time(item.undo_until), time.words if time else "")
            told.append(windows.stylize(AMBER) if time and time.close else windows)
        if item.key:
            told.append(phrase("key     {}", item.key))
        if item.sent_at:
            told.append(phrase("sent    {}", day_and_time(item.sent_at)))
        return told


def _trail(trail: list[TrailModel] | None, problem: str) -> list[Content]:
    if problem:
        return [phrase("trail: not known, {}", problem).stylize(AMBER)]
    if trail is None:
        return [phrase("trail: being read").stylize(QUIET)]
    if not trail:
        return [phrase("trail: the system has no entries").stylize(QUIET)]
    title = phrase("trail of the system, newest first").stylize("bold")
    return [title, *(line for entry in reversed(trail) for line in _entry(entry))]


def _entry(entry: TrailModel) -> list[Content]:
    by = phrase(" by {}", entry.actor) if entry.actor else phrase("")
    said = ", ".join(f"{name}: {as_written(value)}" for name, value in entry.details.items() if value is not None)
    first = phrase("{}  {}{}", day_and_time(entry.at), safe(entry.event, style="bold"), by)
    return [first, phrase("  {}", safe(said, 300, QUIET))] if said else [first]
