"""What cancelling would do, as a server sums it up: effects for a plan, and the preview of one case. Pure.

What the server does not give is said to be not known, and why: never taken for nothing.
"""

from __future__ import annotations

from datetime import timedelta

from tui_app.domain import moments
from tui_app.domain.counting import counted
from tui_app.domain.ports import Preview, Section
from tui_app.domain.verdict import Effect, Verdict
from tui_app.systems.cases.rules import lasting, title
from tui_app.systems.cases.shapes import Holds, Impact
from tui_app.systems.cases.words import BILLING, DOWNSTREAM, FINAL, NOT_READ, NOTIFIED_UNNAMED, REVERSIBLE

NOT_KNOWN = "not known"
MINUTE = timedelta(minutes=1)


def effects(impact: Impact) -> tuple[Effect, ...]:
    """What cancelling does; how long it can be undone is counted from the reading, by the server's own clock."""
    found = []
    if impact.notifications:
        found.append(Effect(NOTIFIED_UNNAMED, counted(impact.notifications, "person", "people")))
    found += [Effect(DOWNSTREAM, system) for system in impact.downstream or ()]
    if impact.billing:
        found.append(Effect(BILLING))
    if impact.rollback is False:
        found.append(Effect(FINAL))
    window = undo_seconds(impact)
    if window is not None:
        found.append(Effect(REVERSIBLE, lasting(_at_least(timedelta(seconds=window)))))
    given = {
        "who is notified": impact.notifications,
        "what is downstream": impact.downstream,
        "billing": impact.billing,
        "the way back": impact.deadline or impact.rollback,
    }
    unknown = [name for name, value in given.items() if value is None]
    if unknown:
        found.append(Effect(NOT_READ, f"the server's preview leaves out {', '.join(unknown)}"))
    return tuple(found)


def undo_seconds(impact: Impact) -> int | None:
    """How long it can be undone from its reading on, by the server's clock; none where it cannot or does not say."""
    if impact.rollback is False or impact.deadline is None or impact.read is None:
        return None
    return max(0, int((moments.read(impact.deadline) - moments.read(impact.read)).total_seconds()))


def _at_least(left: timedelta) -> timedelta:
    """What is left in whole minutes, below one in whole seconds; a limit is never told to be longer than it is."""
    unit = MINUTE if left >= MINUTE else timedelta(seconds=1)
    return left // unit * unit


def preview(
    verdict: Verdict, holds: Holds | None, unread: str, impact: Impact, missing: str, name: str | None
) -> Preview:
    """The verdict and impact of one case. ``unread`` and ``missing`` say why holds and impact are not known."""
    sections = [title(f"title {NOT_KNOWN}" if name is None else name), _dependencies(holds, unread)]
    warnings = list(impact.warnings)
    if holds is None and verdict.cancellable:
        warnings.insert(0, f"dependencies not read: {unread}")
    if not verdict.cancellable:
        return Preview(verdict, warnings=tuple(impact.warnings), sections=tuple(sections))
    if missing:
        sections.append(Section("Impact", (f"{NOT_KNOWN}: {missing}",)))
        return Preview(verdict, (Effect(NOT_READ, missing),), tuple(warnings), tuple(sections))
    sections.append(Section("Impact", _lines(impact)))
    if impact.notifications != 0:
        people = NOT_KNOWN if impact.notifications is None else str(impact.notifications)
        whom = f"people: {people}; the server does not name them"
        sections.append(Section("Notified", (whom, "the server writes the text, and has your words as its notes")))
    return Preview(verdict, effects(impact), tuple(warnings), tuple(sections))


def _dependencies(holds: Holds | None, unread: str) -> Section:
    if holds is None:
        return Section("Dependencies", (f"not read: {unread}" if unread else "not read: its status is final",))
    facts = (
        f"active hold: {'yes' if holds.active_hold else 'no'}",
        f"related orders: {holds.related_orders_status}",
        f"critical alerts: {holds.critical_alerts}",
    )
    return Section("Dependencies", (*facts, *holds.listed))


def _lines(impact: Impact) -> tuple[str, ...]:
    downstream = NOT_KNOWN if impact.downstream is None else ", ".join(impact.downstream) or "none"
    back = NOT_KNOWN if impact.rollback is None else "yes" if impact.rollback else "no"
    return (
        f"billing affected: {NOT_KNOWN if impact.billing is None else 'yes' if impact.billing else 'no'}",
        f"notifications: {NOT_KNOWN if impact.notifications is None else impact.notifications}",
        f"downstream systems: {downstream}",
        f"estimated duration: {impact.duration or NOT_KNOWN}",
        f"rollback available: {back}",
        f"rollback until: {impact.deadline or NOT_KNOWN}",
    )
