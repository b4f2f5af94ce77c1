"""Rows of the journal that cannot be read.

Whoever may write to the journal's file may put anything into a row. Such a row is told by its name, as a ledger that is
broken, and never as a defect of ours: the others are read as ever, and verifying says what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tui_app.domain.errors import LedgerBroken, PlanChanged

T = TypeVar("T")
R = TypeVar("R")

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
"""What reading a row that was not written by us may raise."""


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Read a row of the journal that is called ``name``.

    Raises:
        LedgerBroken: the row holds something else than was written.
    """
    try:
        yield
    except (*UNREADABLE, PlanChanged) as error:
        raise LedgerBroken(
            f"{name} cannot be read: its rows in the journal are not as they were written",
            hint="Keep the file as it is; `quash ledger verify` names what differs.",
            unreadable=name,
        ) from error


def readable(rows: Iterable[R], read: Callable[[R], T], passed_over: list[str] | None) -> list[T]:
    """What ``read`` makes of each row, which raises ``LedgerBroken`` for one that cannot be read.

    The names of those are added to ``passed_over``; where that is none, the first one is raised.
    """
    found: list[T] = []
    for row in rows:
        try:
            found.append(read(row))
        except LedgerBroken as broken:
            if passed_over is None or "unreadable" not in broken.details:
                raise
            passed_over.append(broken.details["unreadable"])
    return found
