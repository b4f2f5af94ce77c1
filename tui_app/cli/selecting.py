"""From arguments to a selection: ids one by one, ids in a file, or a filter."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tui_app.cli.grammar import ALL
from tui_app.cli.terminal import interruptible
from tui_app.config.places import content, expanded, held
from tui_app.contract.plans import SelectionModel, select_filter, select_ids
from tui_app.domain.errors import MalformedId, UsageProblem

COMMENT = "#"
"""A line of ids that begins with it is for people."""

LARGEST = 64 * 1024 * 1024
"""Bytes of a file of ids at most."""

_ONE_OF = "Give ids, --ids FILE or --filter F; one of them."


@dataclass(frozen=True, slots=True)
class Line:
    """A line that names an item, and its number in the file."""

    number: int
    system: str
    id: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is selected, and the lines of the file that it came from, where there was one."""

    selections: list[SelectionModel]
    file: str = ""
    lines: Sequence[Line] = field(default=())

    @contextmanager
    def located(self) -> Iterator[None]:
        """Name the first line with an id that its system could not take, or with a system that is not there.

        Raises:
            MalformedId, UsageProblem: as before, with the line in front.
        """
        try:
            yield
        except (MalformedId, UsageProblem) as error:
            found = [(self._number(one), one) for one in _each(error)]
            numbered = [(number, one) for number, one in found if number is not None]
            if not numbered:
                raise
            number, first = min(numbered, key=lambda one: one[0])
            message = f"{_place(self.file, number)}: {first.message}"
            raise type(first)(message, hint=first.hint, **{**first.details, "line": number}) from error

    def _number(self, error: MalformedId | UsageProblem) -> int | None:
        system, item = error.details.get("system"), error.details.get("id")
        return next((one.number for one in self.lines if one.system == system and item in (None, one.id)), None)


def _each(error: MalformedId | UsageProblem) -> Iterator[MalformedId | UsageProblem]:
    """What was wrong with each selection; the service names those after the first in its details."""
    details = dict(error.details)
    others = details.pop("others", [])
    yield type(error)(error.message, hint=error.hint, **details)
    for other in others:
        facts = dict(other)
        kind = MalformedId if facts.pop("code") == MalformedId.code else UsageProblem
        yield kind(facts.pop("message"), hint=facts.pop("hint"), **facts)


def chosen(asked: Namespace) -> Chosen:
    """What ``SYSTEM (ID… | --ids FILE|- | --filter F)`` selects. Ids are checked by the service.

    Raises:
        UsageProblem: nothing is selected, or in two ways, or the file cannot be read.
    """
    ways = [bool(asked.id), asked.ids is not None, asked.filter is not None]
    if sum(ways) != 1:
        raise UsageProblem("nothing is selected" if not any(ways) else "items are selected in two ways", hint=_ONE_OF)
    if asked.system == ALL and asked.ids is None:
        raise UsageProblem(f"{ALL!r} needs --ids", hint="Its lines are system<TAB>id.")
    if asked.ids is not None:
        return _from_file(asked.ids, asked.system)
    if asked.filter is not None:
        if not asked.filter.strip():
            # An unset variable of a script would otherwise select everything there is.
            raise UsageProblem("an empty filter would select everything", hint="Name at least one status.")
        return Chosen([select_filter(asked.system, asked.filter)])
    return Chosen([select_ids(asked.system, asked.id)])


def _from_file(file: str, system: str) -> Chosen:
    lines = list(_all(file) if system == ALL else _of_one(file, system))
    if not lines:
        form = "Its lines are system<TAB>id." if system == ALL else "One id a line."
        raise UsageProblem(f"{_named(file)} holds no ids", hint=form)
    ids: dict[str, list[str]] = {}
    for line in lines:
        ids.setdefault(line.system, []).append(line.id)
    return Chosen([select_ids(name, those) for name, those in ids.items()], file, lines)


def _of_one(file: str, system: str) -> Iterator[Line]:
    for number, text in _lines(file):
        yield Line(number, system, text)


def _all(file: str) -> Iterator[Line]:
    for number, text in _lines(file):
        system, _, item = (part.strip() for part in text.partition("\t"))
        if not (system and item) or "\t" in item:
            raise UsageProblem(
                f"{_place(file, number)}: {text!r} is not system<TAB>id",
                hint="One item a line, with a tab between; nothing was planned.",
                line=number,
            )
        yield Line(number, system, item)


def _named(file: str) -> str:
    return "the input" if file == "-" else file


def _place(file: str, number: int) -> str:
    return f"line {number} of {_named(file)}"


def _typed() -> str:
    """What comes on the standard input; somebody who sits at it is told what it waits for."""
    if not sys.stdin.isatty():
        return held(sys.stdin.read(LARGEST + 1), LARGEST, _named("-"))
    with interruptible():
        sys.stderr.write("Type or paste the lines of ids. ctrl+d on an empty line ends them; ctrl+c gives up.\n")
        sys.stderr.flush()
        return held(sys.stdin.read(LARGEST + 1), LARGEST, _named("-"))


def _lines(file: str) -> Iterator[tuple[int, str]]:
    """The lines that name something, by their numbers: blank ones and comments are passed over."""
    try:
        text = _typed().removeprefix("\ufeff") if file == "-" else content(expanded(file), LARGEST).decode("utf-8-sig")
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}", hint="Check its name.") from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{file} is not UTF-8 text", hint="One id a line.") from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith(COMMENT):
            yield number, line.strip()
