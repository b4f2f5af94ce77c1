"""How a system describes itself, so that a table can draw it without knowing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

from tui_app.domain.filters import Filter, check_filter
from tui_app.domain.items import Sort
from tui_app.domain.verdict import EffectWords


class Kind(StrEnum):
    """What a column holds; it decides alignment and how a value is shown.

    A deadline is a moment like a time, and is shown as the time that is left.
    """

    ID = "id"
    TEXT = "text"
    STATUS = "status"
    NUMBER = "number"
    TIME = "time"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the field it shows and what can be done with it.

    ``width`` is in cells, the least at which it reads well; ``flexible`` columns share what is left over.
    ``priority`` says which columns go first when the screen is narrow: 1 stays longest.
    """

    field: str
    title: str
    kind: Kind = Kind.TEXT
    width: int = 12
    flexible: bool = False
    priority: int = 5
    sortable: bool = True
    groupable: bool = False


class Verb(StrEnum):
    """What a plan does to its items."""

    CANCEL = "cancel"
    REINSTATE = "reinstate"


@dataclass(frozen=True)
class Description:
    """Words, columns, filters and verbs of one system, for the console and the headless twin.

    ``status_words`` gives each status a tone (``good``, ``bad``, ``busy``, ``idle``), never a colour.
    ``reason_templates`` are offered at the review. ``filter_fields`` may be filtered on beside the columns.
    ``deadline`` names the field that says when the system acts by itself: such items are sent first, soonest first.
    ``notice`` is the text that people who are notified read, with ``{reason}`` in it; empty where nobody is.
    ``untold`` names the fields that this system shows at most for one item alone, each with the reason: no list of its
    items can be narrowed by them. The empty name is free text.
    ``statuses_closed`` says that an item can have no other status than ``statuses``.
    ``id_pattern`` is a regular expression for the whole of an id, as most look; what looks otherwise may be one, too.
    ``reason_room`` is how many characters of a reason the adapter needs for a token of its own.
    """

    system: str
    title: str
    one: str
    many: str
    id_example: str
    columns: tuple[Column, ...]
    default_sort: Sort
    default_filter: Filter
    statuses: tuple[str, ...]
    status_tones: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    filter_fields: tuple[str, ...] = ()
    untold: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    verbs: tuple[Verb, ...] = (Verb.CANCEL,)
    effects: Mapping[str, EffectWords] = field(default_factory=lambda: MappingProxyType({}))
    reason_templates: tuple[str, ...] = ()
    reason_goes_to: str = ""
    reason_room: int = 0
    deadline: str | None = None
    notice: str = ""
    lists: bool = True
    statuses_closed: bool = True
    id_pattern: str = ""

    @cached_property
    def filterable(self) -> frozenset[str]:
        """Every field a filter may name."""
        return (frozenset(column.field for column in self.columns) | frozenset(self.filter_fields)) - self.untold.keys()

    @cached_property
    def closed_values(self) -> Mapping[str, tuple[str, ...]]:
        """The only values of those fields that have a closed list."""
        fields = (column.field for column in self.columns if column.kind is Kind.STATUS)
        return dict.fromkeys(fields, self.statuses) if self.statuses_closed else {}

    def check(self, wanted: Filter) -> None:
        """Refuse a filter that cannot be meant of these items.

        Raises:
            MalformedFilter: see ``check_filter``.
        """
        check_filter(wanted, self.filterable, self.closed_values, self.untold)

    @cached_property
    def sortable(self) -> frozenset[str]:
        """Every field a table may be ordered by."""
        return frozenset(column.field for column in self.columns if column.sortable)
