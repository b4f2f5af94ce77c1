"""Runners that note answers badly: ``python -m support.broken_notes HOW …``, with the words of `quash` behind it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from tui_app.cli.main import main
from tui_app.engine import notes
from tui_app.store.sqlite.work import SqliteWork


async def _nothing(*given: Any) -> None:
    return None


def _note_nothing() -> None:
    SqliteWork.note = _nothing  # type: ignore[assignment, method-assign]


def _note_late() -> None:
    notes.GROUP = 1.0


BROKEN: Mapping[str, Callable[[], None]] = {"nothing": _note_nothing, "late": _note_late}
"""No answer is written down before all of its chunk are there; or only once a second."""

if __name__ == "__main__":
    BROKEN[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
