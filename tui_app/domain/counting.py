"""Numbers in sentences: how many there are of something, in the right one of its two forms."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """A number and what it counts: "1 item", "12,431 items". ``many`` is for a plural that is not ``one`` and an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
