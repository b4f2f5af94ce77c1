"""Items, pages of items, and selections of items."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tui_app.domain.counting import counted
from tui_app.domain.errors import MalformedFilter, MalformedId, UsageProblem
from tui_app.domain.filters import Filter
from tui_app.domain.foreign_json import parse
from tui_app.domain.verdict import Effect, Verdict

Scalar = str | int | float | bool | None
"""What a field of an item may hold; moments are ISO 8601 in UTC with a trailing Z."""

PAGE_LIMIT = 500
"""Rows in one page at most."""

MAX_CURSOR = 8 * 1024
"""Bytes that a cursor holds at most: it travels in a URL."""

MAX_ID = 512
"""Characters in one id at most, far above any real one: an id is shown, logged and sent."""

_ID_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one item: enough for a plan to freeze and for a run to notice drift.

    ``version`` is opaque: it differs whenever the system changed the item. ``due`` is the moment by which it has to be
    done, where there is one: what comes later comes too late. ``undo_seconds`` is how long it can be undone once it is
    done, as far as that is known.
    """

    id: str
    status: str
    version: str
    verdict: Verdict
    effects: tuple[Effect, ...] = ()
    due: str | None = None
    undo_seconds: int | None = None

    @property
    def fingerprint(self) -> tuple[str, str, str]:
        """Status, version and verdict: drift is a different one.

        Where there is a version, it says alone whether the item changed: a system that moves an item one step on
        without changing what was planned, as a scheduler does with a post that is due, leaves the version as it is.
        """
        code = self.verdict.code
        return ("" if self.version else self.status, self.version, "" if code is None else code)


@dataclass(frozen=True, slots=True)
class Item:
    """One command, case or schedule, as a row shows it."""

    system: str
    id: str
    status: str
    version: str
    verdict: Verdict
    fields: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a table; ties are broken by id, so that every order is total."""

    field: str
    descending: bool = False

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.field}"

    @classmethod
    def parse(cls, text: str) -> Sort:
        """Read ``field`` or ``-field``.

        Raises:
            UsageProblem: the text is empty.
        """
        name = text.removeprefix("-")
        if not name:
            raise UsageProblem("a sort needs a field", hint="Write --sort field, or --sort -field for descending.")
        return cls(name, text.startswith("-"))

    @property
    def reversed(self) -> Sort:
        """The same field, the other way round."""
        return Sort(self.field, not self.descending)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows: the sort value and the id of the row beside it. Opaque on the wire."""

    value: Scalar
    id: str

    def encode(self) -> str:
        """The text form, safe in a URL."""
        raw = json.dumps([self.value, self.id], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read the text form.

        Raises:
            UsageProblem: it is not a cursor of ours.
        """
        try:
            value, item = parse(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), strict=True)
            fits = isinstance(item, str) and isinstance(value, str | int | float | bool | None)
            # A database can bind neither half characters, which is why they are encoded, nor numbers beyond 64 bits.
            if not fits or len(f"{value}{item}".encode()) > MAX_CURSOR:
                raise ValueError(text)
        except (binascii.Error, ValueError, TypeError) as error:
            raise UsageProblem("this cursor was not made by quash", hint="Take `next` from the page before.") from error
        return cls(value, item)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which rows: a filter, an order, and a place to go on from, forwards or backwards.

    Backwards without a cursor is the last page. Rows always come in the order of ``sort``. ``as_of`` leaves out
    what changed later, by the system's own clock.
    """

    filter: Filter
    sort: Sort
    limit: int = 100
    cursor: Cursor | None = None
    backward: bool = False
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows in order, whether there are more on either side, and the system's time of reading."""

    items: tuple[Item, ...]
    more_before: bool
    more_after: bool
    as_of: str

    @classmethod
    def in_order(cls, query: PageQuery, items: Sequence[Item], *, ahead: bool, behind: bool, as_of: str) -> Page:
        """From items in the direction of reading, and whether there are more of them ahead and behind."""
        if query.backward:
            return cls(tuple(reversed(items)), more_before=ahead, more_after=behind, as_of=as_of)
        return cls(tuple(items), more_before=behind, more_after=ahead, as_of=as_of)


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows a filter matches; ``exact`` is false where it is an estimate or a lower bound."""

    value: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Selection:
    """What the operator chose: ids, or a filter as of a time minus some ids. A value, never a list of rows."""

    system: str
    ids: tuple[str, ...] | None = None
    filter: Filter | None = None
    as_of: str | None = None
    excluded: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if (self.ids is None) == (self.filter is None):
            raise UsageProblem(
                "a selection is either ids or a filter", hint="Give ids, --ids or --filter; one of them."
            )

    def __str__(self) -> str:
        if self.ids is not None:
            return f"{self.system}: {_ids(self.ids)}"
        minus = f" minus {_ids(self.excluded)}" if self.excluded else ""
        when = f" as of {self.as_of}" if self.as_of else ""
        return f"{self.system}: {self.filter or 'everything'}{minus}{when}"


def _ids(chosen: Collection[str]) -> str:
    return counted(len(chosen), "id")


def check_id(text: str) -> str:
    """Refuse what cannot be an id of any system: empty, overlong, or with control characters.

    Raises:
        MalformedId: saying which.
    """
    if not text or text != text.strip():
        raise MalformedId(f"{text!r} is not an id", hint="An id is not empty and has no spaces around it.")
    if len(text) > MAX_ID:
        raise MalformedId(f"an id of {counted(len(text), 'character')} is too long", hint=f"At most {MAX_ID}.")
    if _ID_CONTROLS.search(text):
        raise MalformedId(f"{text!r} has control characters", hint="Copy the id again, without escape sequences.")
    return text


def check_sort(sort: Sort, known: frozenset[str]) -> Sort:
    """Refuse an order by a column that cannot be ordered by.

    Raises:
        MalformedFilter: naming the known ones.
    """
    if sort.field not in known:
        raise MalformedFilter(f"cannot sort by {sort.field!r}", hint=f"Sortable here: {', '.join(sorted(known))}.")
    return sort
