"""What must not be of one schedule that some cancel and some publish, now that nothing happens any more."""

from __future__ import annotations


def of_a_race(status: str, out: int, cancels: int, *, died: bool) -> list[str]:
    """What is wrong with a schedule that went ``out`` so many times, and was cancelled so many times by its audit.

    ``died``: a publisher was killed on the way, which may leave it ``publishing``.
    """
    found = []
    if out and cancels:
        found.append("both cancelled and published")
    if out > 1:
        found.append("published twice")
    if cancels > 1:
        found.append("cancelled twice")
    if (status == "cancelled") is not (cancels == 1):
        found.append(f"{status} with {cancels} cancellations in the audit")
    if (status == "success") is not (out == 1):
        found.append(f"{status} with {out} in the outbox")
    if status not in ("cancelled", "success") and not (status == "publishing" and died):
        found.append(f"lost: it is {status}")
    return found
