"""Which characters a PostgreSQL database can hold, known before a text is sent to it."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tui_app.domain.errors import InvalidReason, UsageProblem
from tui_app.domain.visible import visible

MOST_NAMED = 5
"""Characters that a refusal names at most."""

_OF_ONE_BYTE = ("SQL_ASCII", "LATIN", "WIN", "KOI8", "ISO_8859")
"""How encodings are named on which PostgreSQL and Python agree in every character."""

_NAMES = {"SQL_ASCII": "ascii", "KOI8R": "koi8_r", "KOI8U": "koi8_u"}


class UnencodableText(UsageProblem):
    """A text holds characters that the database's encoding does not have; nothing was sent."""

    def __init__(self, what: str, foreign: str, encoding: str) -> None:
        named = ", ".join(f"{visible(one)} (U+{ord(one):04X})" for one in foreign[:MOST_NAMED])
        more = f" and {len(foreign) - MOST_NAMED} more" if len(foreign) > MOST_NAMED else ""
        super().__init__(
            f"{what} holds {named}{more}, and this database keeps text in {encoding}, which has no such character",
            hint=f"Write it without {'these characters' if len(foreign) > 1 else 'this character'}.",
            characters=foreign,
            encoding=encoding,
        )


@lru_cache(maxsize=64)
def _codec(encoding: str) -> str | None:
    """Python's name of an encoding that PostgreSQL names; none where the two may disagree on a character."""
    if not encoding.startswith(_OF_ONE_BYTE):
        return None
    name = _NAMES.get(encoding, encoding.replace("WIN", "cp"))
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def foreign_characters(text: str, encoding: str) -> str:
    """The characters of a text that an encoding lacks, each once; half characters are left to the driver.

    Nothing is said of an encoding of several bytes a character: the server judges there.
    """
    codec = _codec(encoding)
    if codec is None or text.isascii():
        return ""
    return "".join(one for one in dict.fromkeys(text) if not _fits(one, codec))


def _fits(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return "\ud800" <= character <= "\udfff"
    return True


def check_text(what: str, text: str, encoding: str) -> None:
    """Refuse a text that a database of this encoding cannot hold; ``what`` names it in the sentence.

    SQL_ASCII is no encoding: a database that declares it does not know what its bytes mean, and only ASCII is read
    back the same by everybody.

    Raises:
        UnencodableText: naming the characters.
    """
    foreign = foreign_characters(text, encoding)
    if foreign:
        raise UnencodableText(what, foreign, encoding)


def check_values(values: Any, encoding: str) -> None:
    """Refuse bound values of which one holds a character that the database's encoding lacks.

    A database that declares SQL_ASCII takes every byte, and finds with it what holds the same bytes.

    Raises:
        UnencodableText: naming the characters.
    """
    if encoding in ("UTF8", "SQL_ASCII"):
        return
    for text in _texts(values):
        check_text("a text that would be sent", text, encoding)


def _texts(values: Any) -> Iterable[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping):
        for one in values.values():
            yield from _texts(one)
    elif isinstance(values, Sequence) and not isinstance(values, bytes):
        for one in values:
            yield from _texts(one)


def unescaped_json(value: Any) -> str:
    """JSON to bind with its characters as they are: an escape has to be in the database's encoding all the same."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def check_words(operator: str, reason: str, encoding: str) -> None:
    """Refuse what an operator wrote where a database cannot keep it.

    Raises:
        InvalidReason: the reason holds such characters, which are named.
        UnencodableText: the name of the operator does.
    """
    try:
        check_text("the reason", reason, encoding)
    except UnencodableText as error:
        raise InvalidReason(error.message, hint=error.hint, **error.details) from error
    check_text("the name of the operator", operator, encoding)
