"""Whose answer it is: the API's own, or that of somebody in between.

Proxies, gateways, firewalls and login pages answer in place of a service, with any status. A refusal is believed where
its body is an error as the API writes it, and a success where it is what was asked for. Everything else is the answer
of a stranger: it says nothing about the request, and whether a write had its effect is not known.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tui_app.domain.errors import Unavailable
from tui_app.domain.ports import Probed
from tui_app.domain.run import Verification, Verified

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,99}", re.ASCII)

_JSON = frozenset({"", "application/json", "text/json"})

_ROUTE = frozenset({"route", "endpoint", "url", "path"})
_ABOUT_ROUTE = re.compile(r"\b(route|endpoint)\b", re.IGNORECASE)

ACCESS = frozenset({401, 403, 407, 451, 511})
"""Statuses with which whoever guards the way in refuses: the service itself, or somebody in front of it."""


@dataclass(frozen=True, slots=True)
class Said:
    """An error in the API's own words."""

    code: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def no_route(self) -> bool:
        """Whether it says that there is no such path, which tells nothing about an item."""
        words = re.split(r"[_.-]", self.code.lower())
        if words == ["not", "found"]:
            return _ABOUT_ROUTE.search(self.message) is not None
        return words == ["method", "not", "allowed"] or not _ROUTE.isdisjoint(words)


Shape = Callable[[int, Any], Said | None]
"""Reads the body of a refusal with this status, where it is an error as one API writes it; else none."""


def nobody(_: int, __: Any) -> None:
    """The shape of an API of which nothing is known: no refusal is its own."""
    return


def said(code: Any, message: Any, details: Any = None) -> Said | None:
    """An error of these parts, where they are those of an API: the code a word of its own, and no number."""
    if not isinstance(code, str) or not _CODE.fullmatch(code) or not isinstance(message, str):
        return None
    return Said(code, message, details if isinstance(details, dict) else {})


def media(header: str) -> str:
    """The media type in a header, without its parameters."""
    return header.partition(";")[0].strip().lower()


def is_json(kind: str) -> bool:
    """Whether a media type is one of JSON; many a server names none."""
    return kind in _JSON or kind.endswith("+json")


def recognised(status: int, header: str, body: Any, shape: Shape, kind: str | None = None) -> Said | None:
    """The API's own words in a refusal with this ``Content-Type`` and JSON body; none where it is a stranger's.

    ``kind`` is the one media type in which the API writes its errors, where it has one; else any of JSON.
    """
    found = media(header)
    return shape(status, body) if found == kind or (kind is None and is_json(found)) else None


class Unrecognised(Unavailable):
    """Somebody answered, and not recognisably the API: nothing was learned."""


def advice(status: int, setting: str = "url") -> str:
    """What to look at where a stranger answered with this status; ``setting`` is the address in the profile."""
    if status in ACCESS:
        return "Either the token is not accepted, or somebody in between (a proxy, a login page) refuses: check both."
    if status in (502, 504):
        return "That is a proxy which gets no answer from the service behind it: see whether that runs."
    if status >= 500:
        return "Somebody in between (a proxy, a gateway) answers in its place. Try again."
    return f"Check `{setting}` in the profile, and what stands in between (a proxy, a gateway, a login page)."


async def probed(asked: str, asking: Awaitable[str]) -> Probed:
    """One question, with what came of it; ``asking`` returns it in words."""
    try:
        return Probed(asked, await asking, recognised=True)
    except Unrecognised as stranger:
        return Probed(asked, stranger.message, recognised=False)


def heard(told: Sequence[Verification | Unrecognised]) -> list[Verification]:
    """The verifications, where a stranger answered for some: of those nothing is known.

    Raises:
        Unrecognised: a stranger answered for all: they are looked at again.
    """
    strangers = [one for one in told if isinstance(one, Unrecognised)]
    if strangers and len(strangers) == len(told):
        raise strangers[0]
    return [Verification(Verified.NOT_KNOWN, str(one)) if isinstance(one, Unrecognised) else one for one in told]
