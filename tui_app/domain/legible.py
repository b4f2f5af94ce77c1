"""Rows of the journal that cannot be read.

Whoever may write to the journal's file may put anything into a row. Such a row is told by its name, as a ledger that is
broken, and never as a defect of ours: the others are read as ever, and verifying says what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TypeVar

from tui_app.domain.errors import LedgerBroken, PlanChanged

T = TypeVar("T")
R = TypeVar("R")

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
"""What reading a row that was not written by us may raise."""


class reading:  # noqa: N801 - used as a statement
    """Read a row of the journal that is called ``name``.

    Raises:
        LedgerBroken: the row holds something else than was written.
    """

    # A class, since a generator costs several times as much for each row.
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Nothing has to be prepared."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, (*UNREADABLE, PlanChanged)):
            raise LedgerBroken(
                f"{self._name} cannot be read: its rows in the journal are not as they were written",
                hint="Keep the file as it is; `quash ledger verify` names what differs.",
                unreadable=self._name,
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
