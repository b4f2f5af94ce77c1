"""Where a request may go: one origin, paths that cannot leave their prefix, and ids that are safe inside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from tui_app.config.values import LOOPBACK
from tui_app.domain.errors import MalformedId, UsageProblem

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

LAST_PORT = 65535
LONGEST_PART = 512
"""Characters of one part of a path at most."""


def check_id(text: str) -> str:
    """An id that may stand in a path: ``..`` survives quoting, and ``#`` and ``?`` cut the path.

    Raises:
        MalformedId: it may not.
    """
    if not _ID.fullmatch(text):
        raise MalformedId(
            f"{text[:80]!r} cannot be an id",
            hint="Letters, digits, hyphen and underscore, 128 at most, and none of the two in front.",
        )
    return text


def path_of(*parts: str) -> str:
    """A path of these parts, each of them one segment, whatever is in it.

    Raises:
        UsageProblem: a part that would be no segment: empty, dots, half characters, or far too long.
    """
    for part in parts:
        if part.strip(".") == "" or len(part) > LONGEST_PART:
            raise UsageProblem(f"{part[:80]!r} cannot be a part of a path")
    try:
        return "/".join(quote(part, safe="") for part in parts)
    except UnicodeEncodeError as error:
        raise UsageProblem("a value holds half characters", hint="Type it again.") from error


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port; printed as they stand in a URL."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def of(cls, url: httpx.URL) -> Origin:
        """That of a URL; the scheme's own port is none."""
        return cls(url.scheme, url.host, url.port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port is None else f":{self.port}")


def base_url(text: str) -> httpx.URL:
    """The base URL of a service, with a slash at its end.

    Raises:
        UsageProblem: plain http to another host, or no address of a service.
    """
    try:
        url = httpx.URL(text)
        # What resolves names does this at the first request, and says nothing that helps.
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise UsageProblem(f"{text[:200]!r} is not an address", hint="It looks like https://host.") from error
    shown = url.copy_with(userinfo=b"")
    extra = url.userinfo or url.query or url.fragment or (url.port or 0) > LAST_PORT
    if url.scheme not in ("http", "https") or not url.host or extra:
        raise UsageProblem(f"{shown} is not the address of a service", hint="It looks like https://host.")
    if url.scheme == "http" and url.host not in LOOPBACK:
        raise UsageProblem(f"{url.host} is another host, and http does not protect the token", hint="Use https.")
    return url if url.path.endswith("/") else url.copy_with(path=url.path + "/")
