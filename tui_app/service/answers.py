"""Answers as bytes: models as JSON, errors as problem documents, streams in pieces."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError
from starlette.responses import Response, StreamingResponse

from tui_app.contract.models import Wire
from tui_app.contract.problems import MEDIA_TYPE, to_problem
from tui_app.domain.errors import NotSignedIn, QuashError, Unavailable
from tui_app.service.requests import Rejected
from tui_app.service.table import JSON, Answer, Route, Stream

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""What goes with every answer."""


def encode(made: BaseModel | Mapping[str, Any]) -> bytes:
    """A body as JSON. Half characters, which a system's JSON may hold and UTF-8 cannot, become visible escapes."""
    if not isinstance(made, BaseModel):
        return json.dumps(_whole(dict(made)), allow_nan=False).encode()
    try:
        return made.model_dump_json().encode()
    except PydanticSerializationError:
        return json.dumps(_whole(made.model_dump(mode="json")), allow_nan=False).encode()


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


async def answer(route: Route, made: Answer) -> Response:
    """What a handler returned, as a response."""
    if isinstance(made, Stream):
        return await _streamed(route, made)
    if isinstance(made, Wire):
        return Response(encode(made), route.status, HEADERS, JSON)
    document: Mapping[str, Any] = made
    return Response(json.dumps(document).encode(), route.status, HEADERS, JSON)


async def _streamed(route: Route, stream: Stream) -> Response:
    """The first piece is made before the answer begins, so that what is wrong from the start is told as a problem."""
    first = await anext(stream.pieces, b"")

    async def pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in stream.pieces:
            yield piece

    return StreamingResponse(pieces(), route.status, HEADERS, str(route.answer))


def problem(error: QuashError, instance: str | None = None) -> Response:
    """An error, as a response."""
    document = to_problem(error, instance)
    headers = dict(HEADERS)
    if isinstance(error, Rejected):
        document = document.model_copy(update={"status": error.status})
        headers |= error.headers
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = 'Bearer realm="quash"'
    if isinstance(error, Unavailable) and error.retry_after is not None:
        headers["Retry-After"] = str(max(0, math.ceil(error.retry_after)))
    return Response(encode(document), document.status, headers, MEDIA_TYPE)
