"""Keys that came in one go with a paste.

What is pasted may hold the very sequence that ends a paste; the rest of it then arrives as keys. Nothing in the keys
tells them from typed ones, but that no hand is as fast.
"""

from __future__ import annotations

from textual import events

HAND = 0.3
"""Seconds between two keys from which on the later one is taken for typed. Who types faster after a paste is asked to
press enter once more."""


class Burst:
    """What arrived last. Times are those of arrival, whenever the events come to be handled."""

    def __init__(self) -> None:
        self._last = 0.0
        self.pasted = False

    def note(self, event: events.Key | events.Paste) -> None:
        """Something was typed or pasted; ``pasted`` says afterwards whether it is, or may be, part of a paste."""
        apart = event.time - self._last >= HAND
        self._last = event.time
        self.pasted = isinstance(event, events.Paste) or (self.pasted and not apart)
