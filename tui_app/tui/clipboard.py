"""Copying over SSH: the terminal is asked to do it (OSC 52), and never answers whether it did."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App

LONGEST = 74_000
"""Bytes of text that every terminal takes; more is refused here and not cut silently there."""


def sequence(text: str, environment: Mapping[str, str]) -> str | None:
    """What is written to the terminal, wrapped where tmux or screen stand between; None where it is too long."""
    raw = text.encode("utf-8", "replace")
    if len(raw) > LONGEST:
        return None
    osc = f"\x1b]52;c;{base64.b64encode(raw).decode()}\x07"
    if environment.get("TMUX"):
        return "\x1bPtmux;" + osc.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("STY"):
        return f"\x1bP{osc}\x1b\\"
    return osc


def to_terminal(app: App[Any], text: str) -> None:
    """Write a control sequence of ours past the screen."""
    if app._driver is not None:
        app._driver.write(text)
