"""From arguments to a selection: ids one by one, ids in a file, or a filter."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from tui_app.cli.grammar import ALL
from tui_app.contract.work import SelectionModel
from tui_app.domain.errors import UsageProblem

_ONE_OF = "Give ids, --ids FILE or --filter F; one of them."


def selections(asked: Namespace) -> list[SelectionModel]:
    """What ``SYSTEM (ID… | --ids FILE|- | --filter F)`` selects. Ids are checked by the service.

    Raises:
        UsageProblem: nothing is selected, or in two ways, or the file cannot be read.
    """
    ways = [bool(asked.id), asked.ids is not None, asked.filter is not None]
    if sum(ways) != 1:
        raise UsageProblem("nothing is selected" if not any(ways) else "items are selected in two ways", hint=_ONE_OF)
    if asked.system == ALL:
        if asked.ids is None:
            raise UsageProblem(f"{ALL!r} needs --ids", hint="Its lines are system<TAB>id.")
        return _by_system(_lines(asked.ids))
    if asked.filter is not None:
        if not asked.filter.strip():
            # An unset variable of a script would otherwise select everything there is.
            raise UsageProblem("an empty filter would select everything", hint="Name at least one status.")
        return [SelectionModel(system=asked.system, filter=asked.filter)]
    ids = list(asked.id) if asked.ids is None else list(_lines(asked.ids))
    if not ids:
        raise UsageProblem(f"{asked.ids} holds no ids", hint="One id a line.")
    return [SelectionModel(system=asked.system, ids=ids)]


def _by_system(lines: Iterable[str]) -> list[SelectionModel]:
    found: dict[str, list[str]] = {}
    for line in lines:
        system, tab, item = line.partition("\t")
        if not (tab and system.strip() and item.strip()):
            raise UsageProblem(f"{line!r} is not system<TAB>id", hint="One item a line, with a tab between.")
        found.setdefault(system.strip(), []).append(item.strip())
    if not found:
        raise UsageProblem("the file holds no ids", hint="Its lines are system<TAB>id.")
    return [SelectionModel(system=system, ids=ids) for system, ids in found.items()]


def _lines(file: str) -> Iterator[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}", hint="Check its name.") from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{file} is not UTF-8 text", hint="One id a line.") from error
    return (line.strip() for line in text.split("\n") if line.strip())
