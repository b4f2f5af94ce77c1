"""Selections as they are asked for, checked before anything is read: systems, ids in their one spelling, fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tui_app.domain.describe import Verb
from tui_app.domain.errors import MalformedId, UsageProblem
from tui_app.domain.items import Selection
from tui_app.domain.ports import System


def check_selections(selections: Sequence[Selection], systems: Mapping[str, System], verb: Verb) -> list[Selection]:
    """The selections with each id in its one spelling, and once.

    What is wrong with the first of them is raised. Where others are wrong too, its details name those as ``others``:
    whoever knows where the ids came from may tell which of them comes first there.

    Raises:
        MalformedId: an id cannot be one.
        UsageProblem: there is no such system, it does not have the verb, or nothing is selected.
        MalformedFilter: a filter that cannot be meant.
    """
    checked: list[Selection] = []
    wrong: list[MalformedId | UsageProblem] = []
    for selection in selections:
        try:
            checked.append(_checked(selection, systems, verb))
        except (MalformedId, UsageProblem) as error:
            wrong.append(error)
    if wrong:
        first, *rest = wrong
        if rest:
            first.details["others"] = [
                {"code": one.code, "message": one.message, "hint": one.hint, **one.details} for one in rest
            ]
        raise first
    return checked


def _checked(selection: Selection, systems: Mapping[str, System], verb: Verb) -> Selection:
    system = systems.get(selection.system)
    if system is None:
        raise UsageProblem(
            f"there is no system {selection.system!r} here",
            hint=f"Systems here: {', '.join(sorted(systems))}.",
            system=selection.system,
        )
    if verb not in system.description.verbs:
        raise UsageProblem(f"{system.description.many} cannot be {verb}d", hint="")
    if selection.filter is not None:
        system.description.check(selection.filter)
        return replace(selection, excluded=frozenset(_id(system, one) for one in selection.excluded))
    ids = dict.fromkeys(_id(system, one) for one in selection.ids or ())
    if not ids:
        raise UsageProblem("nothing is selected", hint="Give ids, --ids with at least one line, or --filter.")
    return replace(selection, ids=tuple(ids))


def _id(system: System, text: str) -> str:
    """An id in its one spelling; an error names it, so that it is found again where it came from."""
    try:
        return system.check_id(text)
    except MalformedId as error:
        raise MalformedId(error.message, hint=error.hint, system=system.description.system, id=text) from error
