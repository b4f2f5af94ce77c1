"""Reading a request: its query, its body and its headers, checked before any handler sees them."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, unquote

from pydantic import ValidationError
from starlette.requests import Request

from tui_app.contract.models import Wire
from tui_app.contract.paths import IDEMPOTENCY
from tui_app.domain.errors import UsageProblem
from tui_app.service.table import Query, Route

BODY_SECONDS = 60.0
"""How long a body may take to arrive."""

LONGEST_KEY = 200
MOST_PARAMETERS = 50
DRAINED = 64 * 1024 * 1024
"""Bytes beyond the limit that are still read and thrown away, so that a client gets to read why it was refused."""


class Rejected(UsageProblem):
    """A request that is refused as HTTP, with a status more exact than that of its code."""

    def __init__(
        self, message: str, status: int, hint: str, headers: dict[str, str] | None = None, **details: Any
    ) -> None:
        super().__init__(message, hint=hint, **details)
        self.status = status
        self.headers = headers or {}


def invalid(error: ValidationError, part: str) -> UsageProblem:
    """What pydantic found, in a sentence that names the first field; values are not repeated, they may be secret."""
    found = error.errors(include_url=False, include_input=False)
    fields = [".".join(str(step) for step in one["loc"]) or part for one in found]
    if found[0]["type"] in ("too_long", "string_too_long"):
        most = found[0]["ctx"]["max_length"]
        what = "characters" if found[0]["type"] == "string_too_long" else "entries"
        hint = "Select by a filter, or split the work into several plans."
        return UsageProblem(f"{fields[0]}: it has at most {most:,} {what}", hint=hint, fields=fields[:20])
    return UsageProblem(
        f"{fields[0]}: {found[0]['msg']}",
        hint=f"Correct the {part} of the request; /v1/openapi.json describes it.",
        fields=fields[:20],
    )


def values_of(raw: bytes) -> dict[str, str]:
    """What a query string names.

    Raises:
        UsageProblem: it cannot be read, or names something twice.
    """
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError as error:
        raise UsageProblem(
            "the query string cannot be read", hint="It is percent-encoded UTF-8, with few names."
        ) from error
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageProblem(f"{twice}: it is given twice", hint="Give each name once.", fields=[twice])
    return values


def query_of(model: type[Query], raw: bytes) -> Query:
    """The query string as a model.

    Raises:
        UsageProblem: it names something twice, or something unknown, or holds a value that does not fit.
    """
    values = values_of(raw)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error, "query") from error


def parts_of(path_params: dict[str, str]) -> dict[str, str]:
    """The parts of the path, decoded; each was one segment, whatever characters it stands for.

    Raises:
        UsageProblem: a part is not UTF-8.
    """
    try:
        return {name: unquote(part, errors="strict") for name, part in path_params.items()}
    except UnicodeDecodeError as error:
        raise UsageProblem(
            "the path is not percent-encoded UTF-8", hint="Encode the id whole, as one segment."
        ) from error


def key_of(request: Request) -> str:
    """The idempotency key.

    Raises:
        UsageProblem: there is none, or it is not printable, or too long.
    """
    key = request.headers.get(IDEMPOTENCY, "")
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise UsageProblem(
            f"{IDEMPOTENCY}: this request needs one, of 1 to {LONGEST_KEY} printable ASCII characters",
            hint="Make it once for each intention, and send the same one again when no answer came.",
            fields=[IDEMPOTENCY],
        )
    return key


async def body_of(route: Route, request: Request) -> Wire | bytes | None:
    """The body as the route wants it; a route that wants none does not look.

    Raises:
        Rejected: another media type, too many bytes, or too slow.
        UsageProblem: it does not fit the model.
    """
    if route.body is None:
        return None
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media != route.media:
        raise Rejected(
            f"Content-Type: this request wants {route.media}, not {media or 'none'}",
            415,
            f"Send {route.media}.",
            fields=["Content-Type"],
        )
    raw = await read_body(request, route.largest)
    if not issubclass(route.body, Wire):
        return raw
    try:
        return route.body.model_validate_json(raw)
    except ValidationError as error:
        raise invalid(error, "body") from error


async def read_body(request: Request, largest: int) -> bytes:
    """The body's bytes.

    Raises:
        Rejected: too many, or too slow.
    """
    body, thrown = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                if thrown or len(body) + len(piece) > largest:
                    thrown += len(piece)
                else:
                    body += piece
                if thrown > DRAINED:
                    break
    except TimeoutError as error:
        raise Rejected(f"the body did not arrive within {BODY_SECONDS:g} seconds", 408, "Send it again.") from error
    if thrown:
        raise Rejected(f"the body is larger than {largest:,} bytes", 413, "Split the work.", largest=largest)
    return bytes(body)
