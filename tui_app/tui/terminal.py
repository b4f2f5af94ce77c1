"""What is said to the terminal itself, beside the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.tui.clipboard import to_terminal

if TYPE_CHECKING:
    from tui_app.tui.app import QuashApp


def name_window(app: QuashApp, name: str) -> None:
    """Give the terminal's window a title (OSC 2), cut down to printable ASCII."""
    plain = "".join(one for one in name if one.isascii() and one.isprintable())
    to_terminal(app, f"\x1b]2;{plain}\x07")
