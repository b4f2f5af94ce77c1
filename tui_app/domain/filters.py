"""The filter language: what an operator types above a table, and what a script passes with ``--filter``.

Terms are joined by AND. ``field:a,b`` is any of; ``field>value`` and its kin compare; ``!`` in front negates;
anything else is free text. Quotes keep spaces and separators. The text form of a filter parses to the same filter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from tui_app.domain.errors import MalformedFilter


class Op(StrEnum):
    """How a term compares."""

    ANY = ":"
    GE = ">="
    LE = "<="
    GT = ">"
    LT = "<"
    TEXT = "~"


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. ``field`` is empty for free text, whose operator is ``Op.TEXT``."""

    field: str
    op: Op
    values: tuple[str, ...]
    negated: bool = False

    def __str__(self) -> str:
        body = ",".join(_quoted(value) for value in self.values)
        return f"{'!' if self.negated else ''}{self.field}{'' if self.op is Op.TEXT else self.op}{body}"


@dataclass(frozen=True, slots=True)
class Filter:
    """A conjunction of terms; no terms match everything."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(str(term) for term in self.terms)

    def __bool__(self) -> bool:
        return bool(self.terms)

    def inverted(self) -> Filter:
        """Every term negated: what ``!`` does to a one-term filter."""
        return Filter(tuple(Term(t.field, t.op, t.values, not t.negated) for t in self.terms))


_VALUE = r'"(?:[^"\\]|\\.)*"|[^\s,"]+'
_TERM = re.compile(
    rf"(?P<not>!)?(?:(?P<field>[A-Za-z_][A-Za-z0-9_]*)(?P<op>>=|<=|:|>|<))?(?P<values>(?:{_VALUE})(?:,(?:{_VALUE}))*)"
)
_ONE_VALUE = re.compile(_VALUE)
_PLAIN = re.compile(r'[^\s,":<>!\\][^\s,":<>\\]*')
_EMPTY = '""'


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unquoted(token: str) -> str:
    if len(token) >= 2 and token[0] == token[-1] == '"':
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token


def parse(text: str) -> Filter:
    """Read a filter.

    Raises:
        MalformedFilter: a quote is not closed, or a field has no value.
    """
    terms: list[Term] = []
    position, text = 0, text.strip()
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _TERM.match(text, position)
        if found is None or (found.end() < len(text) and not text[found.end()].isspace()):
            raise MalformedFilter(f"the filter does not parse at {text[position : position + 20]!r}")
        terms.append(_term(found))
        position = found.end()
    return Filter(tuple(terms))


def _term(found: re.Match[str]) -> Term:
    tokens = _ONE_VALUE.findall(found["values"])
    negated = found["not"] is not None
    if found["field"] is None:
        return Term("", Op.TEXT, (",".join(_unquoted(token) for token in tokens),), negated)
    values = tuple(_unquoted(token) for token in tokens)
    op = Op(found["op"])
    if op is not Op.ANY and len(values) > 1:
        raise MalformedFilter(f"{found['field']}{op} takes one value, not {len(values)}")
    return Term(found["field"], op, values, negated)


def check_fields(wanted: Filter, known: frozenset[str]) -> None:
    """Refuse a filter on a field that the system does not have.

    Raises:
        MalformedFilter: naming the field and the known ones.
    """
    for term in wanted.terms:
        if term.field and term.field not in known:
            raise MalformedFilter(f"there is no field {term.field!r}", hint=f"Fields here: {', '.join(sorted(known))}.")
