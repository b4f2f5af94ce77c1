"""What is said to the terminal itself, beside the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App


def name_window(app: App[Any], name: str) -> None:
    """Give the terminal's window a title (OSC 2). ``name`` has to be plain: it is cut down to printable ASCII."""
    plain = "".join(one for one in name if one.isascii() and one.isprintable())
    driver = app._driver
    if driver is not None:
        driver.write(f"\x1b]2;{plain}\x07")
        driver.flush()
