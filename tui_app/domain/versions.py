"""A version that is made of what was read of an item, and what of it differs between two of them. Pure.

A system that counts changes has a version of its own, which says that an item changed and not what. One that is made
here keeps each fact by name, so that a drift can be told with the field, and with what it was and is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tui_app.domain.canonical import canonical
from tui_app.domain.foreign_json import parse
from tui_app.domain.items import Scalar, Seen
from tui_app.domain.visible import visible

LONGEST = 64
"""Characters of a fact that are kept as they are; a longer one keeps its beginning, and a digest of all of it."""


def version_of(facts: Mapping[str, Scalar]) -> str:
    """The version of an item of which these facts were read."""
    return canonical({name: _short(value) for name, value in facts.items()}).decode()


def changes(before: str, now: str) -> str:
    """Which facts of two versions differ, from what to what; empty where the versions are not made of facts."""
    was, found = _facts(before), _facts(now)
    if was is None or found is None:
        return ""
    names = [name for name in {**was, **found} if was.get(name) != found.get(name)]
    return ", ".join(f"{name} was {_told(was.get(name))} and is {_told(found.get(name))}" for name in sorted(names))


def what_changed(frozen: Seen, now: Seen) -> str:
    """What is known of how an item differs from what was seen of it before."""
    told = changes(frozen.version, now.version)
    if told:
        return told
    if frozen.status != now.status:
        return f"it was {frozen.status} and is {now.status}"
    if frozen.due != now.due:
        return f"it was due {_told(frozen.due)} and is due {_told(now.due)}"
    return "it changed"


def _short(value: Scalar) -> Scalar:
    if not isinstance(value, str) or len(value) <= LONGEST:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{value[: LONGEST - 10]}… {digest}"


def _facts(version: str) -> dict[str, Scalar] | None:
    if not version.startswith("{"):
        return None
    try:
        facts = parse(version.encode("utf-8", "surrogatepass"))
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


def _told(value: object) -> str:
    return "none" if value in (None, "") else visible(str(value), LONGEST)
