"""The filter language: what an operator types above a table, and what a script passes with ``--filter``.

Terms are joined by AND. ``field:a,b`` is any of; ``field>value`` and its kin compare; ``!`` in front negates;
anything else is free text. Quotes keep spaces and separators. The text form of a filter parses to the same filter.
Free text without quotes that looks like another language's operator is refused: it would match everything or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from types import MappingProxyType

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
    """One condition. ``field`` is empty for free text, whose operator is ``Op.TEXT``.

    ``bare`` is true for free text that somebody typed without quotes.
    """

    field: str
    op: Op
    values: tuple[str, ...]
    negated: bool = False
    bare: bool = dataclass_field(default=False, compare=False)

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
_PLAIN = re.compile(r'[^\s,":<>!=~\\][^\s,":<>=~\\]*')
_CONNECTIVES = frozenset({"AND", "OR", "NOT", "&&", "||"})
_LOOKS_COMPARED = re.compile(r"(?P<field>[A-Za-z_][A-Za-z0-9_]*)(?P<op>[:=<>!~]+)(?P<value>.*)", re.DOTALL)
_OPERATORS_ONLY = re.compile(r"[:=<>!~]+")
_NO_CLOSED: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_NONE_UNTOLD: Mapping[str, str] = MappingProxyType({})


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) and value not in _CONNECTIVES else _in_quotes(value)


def _in_quotes(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unquoted(token: str) -> str:
    if len(token) >= 2 and token[0] == token[-1] == '"':
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token


LONGEST_FILTER = 64 * 1024
MOST_TERMS = 100
MOST_VALUES = 1_000
"""The largest filter: characters of its text, terms, and values of all its terms together."""

_TOO_LARGE = "Use fewer terms, or give many ids with --ids."


def check_length(text: str) -> None:
    """Refuse the text of a filter that is longer than any that can be meant.

    Raises:
        MalformedFilter: saying how long one may be.
    """
    if len(text) > LONGEST_FILTER:
        raise MalformedFilter(f"a filter has at most {LONGEST_FILTER:,} characters", hint=_TOO_LARGE)


def parse(text: str) -> Filter:
    """Read a filter.

    Raises:
        MalformedFilter: a quote is not closed, a field has no value, or it is larger than any that can be meant.
    """
    check_length(text)
    terms: list[Term] = []
    values = 0
    position, text = 0, text.strip()
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _TERM.match(text, position)
        if found is None or (found.end() < len(text) and not text[found.end()].isspace()):
            raise MalformedFilter(f"the filter does not parse at {text[position : position + 20]!r}")
        terms.append(_term(found))
        values += len(terms[-1].values)
        if len(terms) > MOST_TERMS or values > MOST_VALUES:
            most = f"a filter has at most {MOST_TERMS} terms, and {MOST_VALUES:,} values in all of them"
            raise MalformedFilter(most, hint=_TOO_LARGE)
        position = found.end()
    return Filter(tuple(terms))


def _term(found: re.Match[str]) -> Term:
    tokens = _ONE_VALUE.findall(found["values"])
    negated = found["not"] is not None
    if found["field"] is None:
        bare = not any(token.startswith('"') for token in tokens)
        return Term("", Op.TEXT, (",".join(_unquoted(token) for token in tokens),), negated, bare=bare)
    op = Op(found["op"])
    if tokens[0].startswith("="):
        hint = f"Write {found['field']}:VALUE. A value that begins with = stands in quotes."
        raise MalformedFilter(f"{found.group().removeprefix('!')!r} has no value that can be meant", hint=hint)
    values = tuple(_unquoted(token) for token in tokens)
    if op is not Op.ANY and len(values) > 1:
        raise MalformedFilter(f"{found['field']}{op} takes one value, not {len(values)}")
    return Term(found["field"], op, values, negated)


def check_filter(
    wanted: Filter,
    fields: Collection[str],
    closed: Mapping[str, tuple[str, ...]] = _NO_CLOSED,
    untold: Mapping[str, str] = _NONE_UNTOLD,
) -> None:
    """Refuse a filter that cannot be meant, and name the nearest one that can.

    ``fields`` are those that can be filtered by; ``closed`` holds the only values that some of them can have, and
    ``untold`` names known fields that cannot be filtered by, each with the reason; the empty name is free text.

    Raises:
        MalformedFilter: an unknown field, one that is not told, a value that its field cannot have, or free text
            without quotes that is an operator, a connective or a comparison by an operator that does not exist.
    """
    for term in wanted.terms:
        if term.op is Op.TEXT:
            if term.bare:
                _check_bare_text(term.values[0], fields, closed)
            if term.field in untold:
                told = f"there is no free text here: {untold[term.field]}"
                raise MalformedFilter(told, hint=_fields_hint("", fields))
            continue
        if term.field in untold:
            # It would match nothing, and its negation everything, whatever the items are.
            told = f"there is no filter by {term.field!r} here: {untold[term.field]}"
            raise MalformedFilter(told, hint=_fields_hint("", fields))
        if term.field not in fields:
            raise MalformedFilter(f"there is no field {term.field!r}", hint=_fields_hint(term.field, fields))
        if term.field in closed:
            _check_closed(term, closed[term.field])


LONGEST_GUESS = 64
"""Characters of a word for which the nearest one is looked for: the work grows with their number."""


def nearest(word: str, known: Collection[str]) -> str | None:
    """The one of these that was most likely meant, whatever its case; None where none is close."""
    return next(iter(nearest_of(word, known, 1)), None)


def nearest_of(word: str, known: Collection[str], most: int) -> list[str]:
    """Those that were most likely meant, the likeliest first."""
    if len(word) > LONGEST_GUESS:
        return []
    # Here, since only a slip needs it, and every start would pay for it.
    import difflib

    by_folded = {one.casefold(): one for one in sorted(known)}
    return [by_folded[one] for one in difflib.get_close_matches(word.casefold(), by_folded, n=most)]


def _fields_hint(word: str, fields: Collection[str]) -> str:
    near = nearest(word, fields)
    did = f"Did you mean {near!r}? " if near else ""
    return f"{did}Fields here: {', '.join(sorted(fields))}."


def _check_closed(term: Term, known: tuple[str, ...]) -> None:
    values = ", ".join(known)
    if term.op is not Op.ANY:
        hint = f"Write {term.field}:VALUE. It can be: {values}."
        raise MalformedFilter(f"{term.field} has no order, so {term.op} cannot compare it", hint=hint)
    for value in term.values:
        if value not in known:
            near = nearest(value, known)
            did = f"Did you mean {term.field}:{near}? " if near else ""
            raise MalformedFilter(f"{term.field} is never {value!r}", hint=f"{did}It can be: {values}.")


def _check_bare_text(text: str, fields: Collection[str], closed: Mapping[str, tuple[str, ...]]) -> None:
    quoted = f"To look for the text itself, put it in quotes: {_in_quotes(text)}."
    if text in _CONNECTIVES:
        how = "Terms are joined by AND as they stand; field:a,b is any of these; ! before a term negates it."
        raise MalformedFilter(f"{text} is not a word of this filter", hint=f"{how} {quoted}")
    if _OPERATORS_ONLY.fullmatch(text) or text.startswith("!"):
        how = "Write field:value without spaces; ! negates once."
        raise MalformedFilter(f"{text!r} stands without a field and a value", hint=f"{how} {quoted}")
    found = _LOOKS_COMPARED.match(text)
    if found is None:
        return
    name = found["field"] if found["field"] in fields else nearest(found["field"], fields)
    if name is None:
        return
    value = found["value"]
    if not value:
        values = f"It can be: {', '.join(closed[name])}. " if name in closed else ""
        raise MalformedFilter(f"{text!r} has no value", hint=f"Write {name}:VALUE, without a space. {values}{quoted}")
    meant = f"{'!' if found['op'].startswith('!') else ''}{name}:{_quoted(value)}"
    raise MalformedFilter(
        f"{text!r}: {found['op']} is not an operator here",
        hint=f"Did you mean {meant}? Operators: : > >= < <=, and ! before a term. {quoted}",
    )
