"""The kinds of values that a configuration file holds, and how each is read.

Every reader takes what TOML made of the text and raises ``ValueError`` with what it would have wanted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, final
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from tui_app.domain.names import flaw_of
from tui_app.domain.rates import UNITS, Rate

HIDDEN = "***"

_SECRET_PARAMETERS = frozenset({"password", "sslpassword", "token"})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_IN_CLEAR = frozenset({"http", "amqp"})
"""Schemes under which everybody on the way reads the password; those with TLS have one more letter."""

_WEB = frozenset({"http", "https"})
"""Schemes of base addresses, below which requests have paths of their own."""

_RATE = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour)")


@final
class Secret:
    """A text that no log, traceback or screen shows: it prints as ``***`` until it is revealed."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@final
class Address:
    """A URL that may hold a password; printed without it."""

    __slots__ = ("_url", "host", "scheme")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = url
        self.scheme = parts.scheme
        self.host = parts.hostname or ""

    def reveal(self) -> str:
        """The whole URL, for whoever connects."""
        return self._url

    @property
    def loopback(self) -> bool:
        """Whether it stays on this host."""
        return self.host in LOOPBACK

    def __repr__(self) -> str:
        parts = urlsplit(self._url)
        place = parts.netloc
        if parts.password is not None:
            user, at, host = place.rpartition("@")
            place = f"{user.partition(':')[0]}:{HIDDEN}{at}{host}"
        query = "&".join(
            f"{quote(name)}={HIDDEN if name in _SECRET_PARAMETERS else quote(value)}"
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        )
        return urlunsplit((parts.scheme, place, parts.path, query, ""))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and other._url == self._url

    def __hash__(self) -> int:
        return hash(self._url)


def text(value: Any) -> str:
    """A text that is not blank, and has no characters that cannot be shown."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    if not value.isprintable():
        raise ValueError("a text that can be shown: it has control characters, or others that nobody sees")
    return value


def name(value: Any) -> str:
    """The name of somebody or of some place."""
    flaw = flaw_of(text(value))
    if flaw:
        raise ValueError(f"a name: it {flaw}")
    return str(value)


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def number(value: Any) -> int:
    """A whole number from 1 up."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("a whole number from 1 up")
    return value


def words(value: Any) -> tuple[str, ...]:
    """A command: a list of texts, the program first."""
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ValueError('a command as a list of texts, such as ["vault", "read", "…"]')
    return tuple(value)


def rate(value: Any) -> Rate:
    """Such as ``5/minute``."""
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('a rate such as "5/minute"; also /second and /hour')
    return Rate(int(found[1]), timedelta(seconds=UNITS[found[2]]))


def pattern(value: Any) -> str:
    """A regular expression."""
    try:
        if not isinstance(value, str) or not value.strip():
            raise ValueError("a regular expression")
        return re.compile(value).pattern
    except (ValueError, re.error) as error:
        raise ValueError("a regular expression") from error


def one_of(*allowed: str) -> Callable[[Any], str]:
    """A reader of one of some words."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return str(value)

    return read


def address(*schemes: str) -> Callable[[Any], Address]:
    """A reader of URLs of some schemes; one without TLS reaches no further than this host, whoever asks for it.

    ``sqlite`` has nothing behind its colon: the file is in the state folder.
    """
    forms = ", ".join("sqlite:" if scheme == "sqlite" else f"{scheme}://…" for scheme in schemes)

    def read(value: Any) -> Address:
        found = _address(value)
        if found is None or found.scheme not in schemes:
            raise ValueError(f"a URL: {forms}")
        if found.scheme == "sqlite":
            if value != "sqlite:":
                raise ValueError('"sqlite:" alone; its file is in the state folder')
        elif not found.host and found.scheme != "postgresql":
            raise ValueError(f"a URL with a host: {forms}")
        if found.scheme in _IN_CLEAR and not found.loopback:
            raise ValueError(f"{found.scheme}s://…; plain {found.scheme} is for this host only")
        if found.scheme in _WEB:
            _check_base(found)
        return found

    return read


def service(value: Any) -> Address:
    """The address of another quash: that in front of its routes."""
    found = address("https", "http")(value)
    front, _, last = urlsplit(found.reveal()).path.rstrip("/").rpartition("/")
    if last == "v1":
        parts = urlsplit(found.reveal())
        raise ValueError(
            f"the address in front of /v1; write {urlunsplit((parts.scheme, parts.netloc, front, '', ''))}"
        )
    return found


def _check_base(found: Address) -> None:
    """Refuse what a base address cannot carry, since each request adds its own path and query to it."""
    parts = urlsplit(found.reveal())
    try:
        valid = parts.port != 0 and " " not in found.reveal()
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("a URL: scheme, host, a port from 1 to 65535, and a path without spaces")
    if "@" in parts.netloc:
        raise ValueError("a URL without a user or a password; what signs in is a token, from a command or a file")
    for mark, called in (("?", "a query"), ("#", "a fragment")):
        if mark in found.reveal():
            raise ValueError(f"a base URL: it has {called}; end it before the {mark!r}")


def _address(value: Any) -> Address | None:
    if not isinstance(value, str):
        return None
    try:
        # Parsing passes over line ends, which whoever connects does not.
        return Address(value) if value.isprintable() else None
    except ValueError:
        return None
