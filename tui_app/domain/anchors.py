"""Anchors: heads of the ledger that are kept where whoever owns the journal does not write.

A chain that somebody rebuilds as a whole, or cuts, is whole again: only a head that stands elsewhere tells.
"""

from __future__ import annotations

import re

from tui_app.domain.errors import UsageProblem

ANCHOR = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})")
"""``SEQ:HASH``, as it is printed at the end of a run."""


def read_anchor(text: str) -> tuple[int, str]:
    """The sequence number and the hash of an anchor.

    Raises:
        UsageProblem: it is none.
    """
    found = ANCHOR.fullmatch(text)
    if found is None:
        raise UsageProblem(
            f"{text[:100]!r} is not an anchor",
            hint="An anchor is SEQ:HASH, with 64 hexadecimal digits, as printed at the end of a run.",
            fields=["anchors"],
        )
    return int(found[1]), found[2].lower()


def anchor_line(at: str, run_id: str, head: str) -> str:
    """A line of an anchor file: the moment, the run that ended, and the head that the ledger had then."""
    return f"{at} {run_id} {head}\n"


def anchors_in(text: str) -> list[str]:
    """The anchors of an anchor file: the last word of each line that is not empty; see :func:`read_anchor`."""
    return [line.split()[-1] for line in text.splitlines() if line.strip()]
