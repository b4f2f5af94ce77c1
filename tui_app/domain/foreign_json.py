"""JSON that others wrote: bodies of HTTP, payloads and audits in databases, plan files, tokens.

JSON sets no limits, and what writes, stores and shows it does: numbers of thousands of digits, thousands of levels,
NaN, half characters (lone surrogates) and megabytes of text each break some of it. :func:`parse` reads all of it into
values that every part of this program can hold, compare, store and write again: whole numbers of 64 bits, finite
numbers, texts that are UTF-8, at most ``DEEPEST`` levels. What is beyond that becomes a text that shows what it was.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEEPEST = 64
"""Levels of lists and objects that are kept."""

LONGEST = 65_536
"""Characters of a JSON text that is stored with an item and shown; a longer one is shown as it begins."""

LONGEST_NUMBER = 40
"""Digits that are kept of a number that is too large to be one."""

DEEPER = "(nested deeper than is shown)"
NO_VALUE = "(no value of JSON)"

_WHOLE = 2**63
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")


def parse(text: str | bytes, *, strict: bool = False) -> Any:
    """The value of a JSON text, within the limits above; a byte order mark before it is passed over.

    Raises:
        ValueError: it is no JSON; with ``strict`` also: it is no UTF-8, or holds what is beyond the limits.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "strict" if strict else "replace")
    text = text.removeprefix("\ufeff")
    try:
        value = json.loads(text)
        if _sound(value, halves=_ESCAPED.search(text) is not None or _HALF.search(text) is not None):
            return value
    except (ValueError, RecursionError) as error:
        if strict:
            raise ValueError(f"it is no JSON that can be read: {type(error).__name__}") from error
    if strict:
        raise ValueError("its JSON holds numbers, texts or levels that are beyond every limit")
    try:
        return whole(json.loads(_shallow(text), parse_int=_integer, parse_float=_real, parse_constant=str))
    except RecursionError as error:
        raise ValueError("its levels do not end") from error


def shown(text: str | bytes) -> Any:
    """The same for what is only shown: what is no JSON, or is too long, is the text as it begins. Never raises."""
    if len(text) <= LONGEST:
        try:
            return parse(text)
        except ValueError:
            pass
    said = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    return whole(said if len(said) <= LONGEST else f"{said[:LONGEST]}…")


def details(value: Any) -> dict[str, Any]:
    """The details of an audit's entry, which anybody may have written, as an object."""
    if isinstance(value, dict):
        return value
    return {} if value is None else {"details": value}


def dump(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """A value as JSON, whatever it is: what JSON cannot hold is made whole first. Never raises."""
    separators = (",", ":") if indent is None else None
    try:
        text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, indent=indent, separators=separators)
        if ascii_only or not _HALF.search(text):
            return text
    except (ValueError, TypeError, RecursionError):
        pass
    return json.dumps(whole(value), ensure_ascii=ascii_only, indent=indent, separators=separators)


def whole(value: Any, level: int = 0) -> Any:
    """A value within the limits above; what is beyond them, or no value of JSON, becomes a text."""
    if isinstance(value, dict | list | tuple):
        if level >= DEEPEST:
            return DEEPER
        if isinstance(value, dict):
            return {whole_text(str(name)): whole(inner, level + 1) for name, inner in value.items()}
        return [whole(inner, level + 1) for inner in value]
    if isinstance(value, str):
        return whole_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_WHOLE <= value < _WHOLE else f"(a whole number of {value.bit_length():,} bits)"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return NO_VALUE


def whole_text(text: str) -> str:
    """A text that UTF-8 can hold: half characters become escapes that can be read."""
    return text.encode("utf-8", "backslashreplace").decode() if _HALF.search(text) else text


def _sound(value: Any, *, halves: bool) -> bool:
    """Whether a value is within the limits. ``halves``: its texts may hold half characters."""
    level, depth = [value], 0
    while level:
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(one.values())
                if halves:
                    inner.extend(one)
            elif isinstance(one, list):
                inner.extend(one)
            elif isinstance(one, str):
                if halves and _HALF.search(one):
                    return False
            elif isinstance(one, float):
                if not math.isfinite(one):
                    return False
            elif isinstance(one, int) and not -_WHOLE <= one < _WHOLE:
                return False
        depth += any(isinstance(one, dict | list) for one in level)
        if depth > DEEPEST:
            return False
        level = inner
    return True


def _shallow(text: str) -> str:
    """A JSON text in which whatever is nested deeper than is kept is a text that says so."""
    kept, depth, done = [], 0, 0
    for found in _TOKENS.finditer(text):
        sign = found[0]
        if sign in ("[", "{"):
            depth += 1
            if depth == DEEPEST + 1:
                kept.append(text[done : found.start()])
                done = len(text)
        elif sign in ("]", "}"):
            depth -= 1
            if depth == DEEPEST:
                kept.append(f'"{DEEPER}"')
                done = found.end()
    return "".join((*kept, text[done:]))


def _integer(digits: str) -> int | str:
    if len(digits) <= 20:
        number = int(digits)
        if -_WHOLE <= number < _WHOLE:
            return number
    return _cut(digits)


def _real(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else _cut(digits)


def _cut(digits: str) -> str:
    return digits if len(digits) <= LONGEST_NUMBER else f"{digits[:LONGEST_NUMBER]}… ({len(digits):,} digits)"
