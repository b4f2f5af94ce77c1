"""The known dialects of the case API: its paths, methods and headers, and how it writes an error. Pure.

``RUNBOOK`` is the documented one, which `quash serve` speaks too. ``LIMS`` is a newer generation: other paths, PATCH in
place of POST, no preview, no list, no way back, and no idempotency keys. A profile can change each of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tui_app.domain.errors import UsageProblem
from tui_app.domain.filters import nearest
from tui_app.outbound.recognition import Said, Shape, said

NONE = "none"
"""What a profile writes for a path or a header that its API does not have."""


class Operation(StrEnum):
    """What is asked of a case API."""

    LIST = "list"
    CASE = "case"
    STATUS = "status"
    DEPENDENCIES = "dependencies"
    PREVIEW = "preview"
    CANCEL = "cancel"
    REINSTATE = "reinstate"
    AUDIT = "audit"
    PERMISSION = "permission"


BASE = "cases"
"""The key of the path that the others begin with."""

PATH_KEYS = (BASE, *(op.value for op in Operation))
METHOD_KEYS = (Operation.CANCEL.value, Operation.REINSTATE.value)
METHODS = ("POST", "PUT", "PATCH", "DELETE")

_PLACE = re.compile(r"\{([a-z]*)\}")
_PLACES = frozenset({BASE, "id", "user"})
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_OWN = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "transfer-encoding",
        "accept-encoding",
    }
)
"""Headers that are not a profile's to set: they carry the token, or frame the request."""


def _paths(base: str, **others: str) -> Mapping[str, str]:
    usual = {
        BASE: base,
        Operation.LIST: "{cases}",
        Operation.CASE: "{cases}/{id}",
        Operation.STATUS: "{cases}/{id}/status",
        Operation.DEPENDENCIES: "{cases}/{id}/dependencies",
        Operation.PREVIEW: "{cases}/{id}/cancel/preview",
        Operation.CANCEL: "{cases}/{id}/cancel",
        Operation.REINSTATE: "{cases}/{id}/reinstate",
        Operation.AUDIT: "{cases}/{id}/audit-log",
        Operation.PERMISSION: "/api/v1/users/{user}/permissions/cancel_case",
    }
    return MappingProxyType({str(name): path for name, path in {**usual, **others}.items()})


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way in which a case API is asked.

    ``paths`` are templates with ``{cases}``, ``{id}`` and ``{user}``; ``none`` is what the API does not have.
    ``headers`` go with every request; ``needed`` are those whose values only the profile can tell. ``key_header``
    carries the idempotency key; without one the API knows no keys, and nothing is sent twice. ``error_of`` reads an
    error.
    """

    name: str
    paths: Mapping[str, str]
    methods: Mapping[str, str]
    user_header: str
    key_header: str | None
    error_of: Shape
    headers: Mapping[str, str] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    empty_audit: bool = False
    """Whether an audit without entries is an empty list, which says nothing of whose answer it is."""

    def path(self, op: Operation, *, case_id: str = "", user: str = "") -> tuple[str, ...] | None:
        """Return the segments of a path, or none where the API has no such operation."""
        template = self.paths[op]
        if template == NONE:
            return None
        whole = template.replace("{cases}", self.paths[BASE])
        values = {"{id}": case_id, "{user}": user}
        return tuple(values.get(part, part) for part in whole.strip("/").split("/"))

    def has(self, op: Operation) -> bool:
        """Whether the API has an operation."""
        return self.paths[op] != NONE

    @property
    def knows_keys(self) -> bool:
        """Whether a request with the same key has its effect once."""
        return self.key_header is not None

    def changed(
        self,
        *,
        paths: Mapping[str, str] = MappingProxyType({}),
        methods: Mapping[str, str] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
        user_header: str | None = None,
        key_header: str | None = None,
    ) -> Dialect:
        """Return this dialect with what a profile says in place of its own.

        Raises:
            UsageProblem: a header is missing whose value only the profile can tell.
        """
        given = {name.lower() for name in headers}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in given}
        missing = [name for name in self.needed if name.lower() not in given]
        if missing:
            names = ", ".join(missing)
            raise UsageProblem(
                f"the dialect {self.name} needs the headers {names}, and the profile gives none",
                hint=f'Add headers = {{ {missing[0]} = "…" }} to cases in the profile.',
            )
        key = self.key_header if key_header is None else None if key_header == NONE else key_header
        return replace(
            self,
            paths=MappingProxyType({**self.paths, **paths}),
            methods=MappingProxyType({**self.methods, **methods}),
            headers=MappingProxyType({**kept, **headers}),
            user_header=user_header or self.user_header,
            key_header=key,
        )


def error_of(_: int, value: Any) -> Said | None:
    """A refusal as the runbook has it: ``{"error": {"code", "message", …}}``; none where it is another's."""
    inner = value.get("error") if isinstance(value, dict) else None
    return said(inner.get("code"), inner.get("message"), inner.get("details")) if isinstance(inner, dict) else None


def _error_of_lims(status: int, value: Any) -> Said | None:
    """An error of the newer generation: ``{"status": 404, "message": …}``, with the status of the answer itself."""
    if not isinstance(value, dict) or value.get("status") != status or not isinstance(value.get("message"), str):
        return None
    # What names a path comes from the framework below the API: there is no such path.
    code = "ROUTE_NOT_FOUND" if status == 404 and "path" in value else f"HTTP_{status}"
    return Said(code, value["message"])


RUNBOOK = Dialect(
    "runbook",
    _paths("/api/v2/cases"),
    MappingProxyType({Operation.CANCEL.value: "POST", Operation.REINSTATE.value: "POST"}),
    user_header="X-User-ID",
    key_header="X-Idempotency-Key",
    error_of=error_of,
)

LIMS = Dialect(
    "lims",
    _paths(
        "/lims-api/case",
        list=NONE,
        dependencies=NONE,
        preview=NONE,
        reinstate=NONE,
        permission=NONE,
    ),
    MappingProxyType({Operation.CANCEL.value: "PATCH", Operation.REINSTATE.value: "PATCH"}),
    user_header="Api-User",
    key_header=None,
    error_of=_error_of_lims,
    headers=MappingProxyType({"Role-Name": "Production Support", "Time-Zone": "UTC"}),
    needed=("Lab-Id", "Discipline-Name"),
    empty_audit=True,
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({one.name: one for one in (RUNBOOK, LIMS)})


def read_paths(value: Any) -> Mapping[str, str]:
    """Read the paths that a profile gives.

    Raises:
        ValueError: with what it would have wanted.
    """
    found = _table(value, "paths", PATH_KEYS)
    for name, path in found.items():
        if path == NONE and name not in (BASE, Operation.STATUS, Operation.CANCEL):
            continue
        allowed = _PLACES - {BASE} if name == BASE else _PLACES
        if not path.startswith(("/", "{cases}")) or not allowed.issuperset(_PLACE.findall(path)):
            raise ValueError(f"a path for {name}: it begins with / or {{cases}}, and may hold {{id}} and {{user}}")
        needs_id = name not in (BASE, Operation.LIST, Operation.PERMISSION)
        if needs_id is not ("{id}" in path.split("/")):
            raise ValueError(f"a path for {name}: it holds {{id}} {'as one part' if needs_id else 'nowhere'}")
        if any(char in path for char in "?#% ") or "//" in path or not path.isascii():
            raise ValueError(f"a path for {name}: plain parts with one / between them")
    return MappingProxyType(found)


def read_methods(value: Any) -> Mapping[str, str]:
    """Read the methods that a profile gives.

    Raises:
        ValueError: with what it would have wanted.
    """
    found = {name: method.upper() for name, method in _table(value, "methods", METHOD_KEYS).items()}
    wrong = [method for method in found.values() if method not in METHODS]
    if wrong:
        raise ValueError(f"a table of methods: {wrong[0]} is none of {', '.join(METHODS)}")
    return MappingProxyType(found)


def read_headers(value: Any) -> Mapping[str, str]:
    """Read the headers that a profile sends with every request.

    Raises:
        ValueError: with what it would have wanted.
    """
    found = _table(value, "headers", None)
    for name, text in found.items():
        if not _HEADER.fullmatch(name):
            raise ValueError(f"a table of headers: {name[:80]!r} cannot be the name of one")
        if name.lower() in _OWN:
            raise ValueError(f"a table of headers that a profile may set: {name} is not one; tokens have settings")
        if not text.isascii() or not text.isprintable():
            raise ValueError(f"a table of headers: the value of {name} is not one line of ASCII")
    return MappingProxyType(found)


def read_header(value: Any) -> str:
    """Read the name of a header, or ``none``.

    Raises:
        ValueError: with what it would have wanted.
    """
    if not isinstance(value, str) or not _HEADER.fullmatch(value) or value.lower() in _OWN:
        raise ValueError("the name of a header that a profile may set")
    return value


def _table(value: Any, what: str, keys: Collection[str] | None) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(one, str) and one.strip() for one in value.values()):
        raise ValueError(f"a table of {what}, each a text")
    for name in value:
        if keys is not None and name not in keys:
            near = nearest(name, keys)
            told = f"did you mean {near!r}?" if near else f"keys: {', '.join(keys)}"
            raise ValueError(f"a table of {what}: unknown key {name!r}; {told}")
    return dict(value)
