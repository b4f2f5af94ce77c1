"""Marks: what the operator chose, as ids and as filters, never as a list of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tui_app.domain.filters import Filter, Op, Term, parse


@dataclass(frozen=True, slots=True)
class Everything:
    """All that a filter matched at a moment; ``count`` is how many that were."""

    filter: str
    as_of: str
    count: int
    exact: bool = True

    def disjoint(self, other: Everything) -> bool:
        """Whether no item can be in both: they ask one field for different values."""
        mine, theirs = _single_values(self.filter), _single_values(other.filter)
        return any(mine[name].isdisjoint(theirs[name]) for name in mine.keys() & theirs.keys())


@dataclass(frozen=True, slots=True)
class Marks:
    """Ids that were marked one by one, filters that were marked whole, and ids taken out of the latter."""

    ids: Mapping[str, None] = field(default_factory=dict)
    whole: tuple[Everything, ...] = ()
    excluded: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def count(self) -> int:
        """How many are marked; at most so many where ``exact`` is false."""
        return max(len(self.ids) + sum(each.count for each in self.whole) - len(self.excluded), 0)

    @property
    def exact(self) -> bool:
        """Whether the count is known, and not only its upper bound."""
        pairs = ((one, other) for at, one in enumerate(self.whole) for other in self.whole[at + 1 :])
        return all(each.exact for each in self.whole) and all(one.disjoint(other) for one, other in pairs)

    def holds(self, item: str, *, member: bool) -> bool:
        """Whether an item is marked; ``member`` says whether one of the filters held it at its moment."""
        return item in self.ids or (member and item not in self.excluded)

    def turned(self, item: str, *, member: bool) -> Marks:
        """The item marked where it was not, and the other way round."""
        return self.without(item, member=member) if self.holds(item, member=member) else self.with_ids([item])

    def with_ids(self, items: Iterable[str], members: frozenset[str] = frozenset()) -> Marks:
        """More ids; those in ``members`` are held by a filter and only have to be no longer excluded."""
        wanted = list(items)
        added = {item: None for item in wanted if item not in members and item not in self.excluded}
        return replace(self, ids={**self.ids, **added}, excluded=self.excluded.difference(wanted))

    def without(self, item: str, *, member: bool) -> Marks:
        """One item less."""
        kept = {each: None for each in self.ids if each != item}
        return replace(self, ids=kept, excluded=self.excluded | {item} if member else self.excluded)

    def with_everything(self, new: Everything, held: frozenset[str]) -> Marks:
        """A filter more; ``held`` are those of our ids that it holds, so that none counts twice."""
        others = tuple(each for each in self.whole if each.filter != new.filter)
        ids = {item: None for item in self.ids if item not in held}
        return Marks(ids, (*others, new), frozenset() if not others else self.excluded - held)

    def inverted(self, new: Everything, held: frozenset[str]) -> Marks | None:
        """Within what ``new`` matches: what is not marked. None where several filters are marked, or another one.

        ``held`` are those of our ids that ``new`` matches; the others are hidden, and stay marked.
        """
        hidden = {item: None for item in self.ids if item not in held}
        if not self.whole:
            return Marks(hidden, (new,), held)
        if len(self.whole) == 1 and self.whole[0].filter == new.filter:
            return Marks({**hidden, **dict.fromkeys(sorted(self.excluded))})
        return None

    def selections(self, system: str) -> list[dict[str, Any]]:
        """The value that is sent: the fields of each ``SelectionModel``."""
        found: list[dict[str, Any]] = [
            {
                "system": system,
                "filter": each.filter,
                "as_of": each.as_of,
                "excluded": sorted(self.excluded),
            }
            for each in self.whole
        ]
        if self.ids:
            found.append({"system": system, "ids": list(self.ids)})
        return found


def of_ids(id_field: str, ids: Iterable[str]) -> str:
    """A filter that matches exactly these ids."""
    return str(Term(id_field, Op.ANY, tuple(ids)))


def both(one: str, other: str) -> str:
    """A filter that matches what both match."""
    return f"{one} {other}".strip()


def same_value(base: str, name: str, value: str) -> str:
    """What ``base`` matches and has this value; a term of ``base`` that says just that is not said twice."""
    term = Term(name, Op.ANY, (value,))
    terms = parse(base).terms
    return str(Filter(terms if term in terms else (*terms, term)))


def _single_values(text: str) -> dict[str, frozenset[str]]:
    return {term.field: frozenset(term.values) for term in parse(text).terms if term.op is Op.ANY and not term.negated}
