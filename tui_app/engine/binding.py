"""What a run is bound to beside its principal: the systems of its plan, whose tokens act for it, and its words.

Where one of them is another than when it was confirmed, nothing is sent until an operator accepts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tui_app.domain.advice import gone
from tui_app.domain.errors import UsageProblem
from tui_app.domain.ports import KeepsWords, SignedIn, System
from tui_app.domain.records import RunRecord


async def identities(systems: Mapping[str, System], names: Iterable[str]) -> dict[str, str]:
    """Which systems these are now; empty for one that the profile does not have.

    Raises:
        Unavailable: a system does not tell.
    """
    return {name: await systems[name].identity() if name in systems else "" for name in names}


def check_there(systems: Mapping[str, System], names: Iterable[str]) -> None:
    """Refuse what would need a system that has left the profile.

    Raises:
        UsageProblem: naming the systems.
    """
    left = [name for name in names if name not in systems]
    if left:
        raise UsageProblem(gone(left), hint="Put it back into the profile, or make a new plan without it.")


async def bearers(systems: Mapping[str, System], names: Iterable[str]) -> dict[str, str]:
    """Whom the tokens name with which these systems are reached, by system; without a token that names nobody.

    Raises:
        NotSignedIn: a system needs a token, and nobody gives one.
    """
    found: dict[str, str] = {}
    for name in names:
        system: object = systems.get(name)
        if isinstance(system, SignedIn):
            await system.sign_in()
            if system.signed_in_as is not None:
                found[name] = system.signed_in_as
    return found


async def check_words(systems: Mapping[str, System], names: Iterable[str], operator: str, reason: str) -> None:
    """Refuse a name or a reason that one of these systems cannot keep.

    Raises:
        InvalidReason, UsageProblem: naming the characters.
    """
    for name in names:
        system: object = systems.get(name)
        if isinstance(system, KeepsWords):
            await system.check_words(operator, reason)


def moved(targets: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """The sentence about systems that are gone, or others than planned; none where all are the same."""
    left = [name for name in targets if not now[name]]
    if left:
        return gone(left)
    changed = [name for name, planned in targets.items() if now[name] != planned]
    if not changed:
        return None
    return f"{', '.join(changed)}: this profile points at another system than the plan was made against"


def handed_on(run: RunRecord, now: Mapping[str, str]) -> str | None:
    """The sentence about tokens that are somebody else's than at the confirmation; none where all are the same."""
    for name in run.targets:
        was, held = run.bearers.get(name), now.get(name)
        if held != was:
            return f"{name}: run {run.id} was confirmed with a token of {_whom(was)}, and this one is of {_whom(held)}"
    return None


def _whom(bearer: str | None) -> str:
    return bearer or "somebody it does not name"
