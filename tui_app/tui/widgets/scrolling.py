"""Text that is moved through with the keys of a list."""

from __future__ import annotations

from textual.widget import Widget


def scroll(view: Widget, where: str) -> None:
    """Move a text as the action of that name moves a list: by a line, half a screen, a screen, or to an end."""
    if where in ("first", "last"):
        view.scroll_to(y=0 if where == "first" else view.max_scroll_y, animate=False)
        return
    page, half = max(view.size.height - 1, 1), max(view.size.height // 2, 1)
    steps = {"down": 1, "up": -1, "half_down": half, "half_up": -half, "page_down": page, "page_up": -page}
    view.scroll_relative(y=steps.get(where, 0), animate=False)
