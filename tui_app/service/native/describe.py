"""The native routes in the OpenAPI document: the same table that answers them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from tui_app.service.native.failures import CODES
from tui_app.service.native.idempotency import HEADER, PATTERN
from tui_app.service.native.table import NativeApi, NativeRoute

Document = dict[str, Any]

_ALWAYS = (400, 401, 404, 500, 503)
_KEYED = {
    409: "a request with this idempotency key is still being processed",
    422: "this idempotency key came with another body before",
}


def models(api: NativeApi) -> Iterator[tuple[type[BaseModel], bool]]:
    """Every model that the operations refer to, and whether it is one of a request."""
    yield api.error, False
    for route in api.routes:
        yield route.answer, False
        if route.body is not None:
            yield route.body, True


def reference(model: type[BaseModel]) -> Document:
    """A reference to the schema of a model."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def operation(api: NativeApi, route: NativeRoute, query: list[Document]) -> Document:
    """One native route; ``query`` are the parameters of its query."""
    made: Document = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [api.name],
        "parameters": [*_in_path(route), *query, *_in_headers(api, route)],
        "responses": _responses(api, route),
    }
    if route.body is not None:
        content = {"application/json": {"schema": reference(route.body)}}
        made["requestBody"] = {"required": not route.body_optional, "content": content}
    return made


def _in_path(route: NativeRoute) -> list[Document]:
    schema = {"type": "string", "minLength": 1}
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _in_headers(api: NativeApi, route: NativeRoute) -> list[Document]:
    made: list[Document] = []
    if api.user_header is not None:
        made.append({"name": api.user_header, "in": "header", "required": True, "schema": {"type": "string"}})
    if route.keyed:
        schema = {"type": "string", "format": "uuid", "pattern": PATTERN}
        made.append({"name": HEADER, "in": "header", "required": True, "schema": schema})
    return made


def _responses(api: NativeApi, route: NativeRoute) -> Document:
    told = {status: CODES[status] for status in _ALWAYS}
    if api.user_header is not None or route.changes:
        told[403] = CODES[403]
    if route.body is not None:
        told |= {status: CODES[status] for status in (408, 413)}
    if route.keyed:
        told |= _KEYED
    if route.bucket in api.limits:
        told[429] = f"{api.limits[route.bucket]} a user"
    for status, sentence in route.errors.items():
        told[status] = f"{sentence}; or {told[status]}" if status in told else sentence
    content = {"application/json": {"schema": reference(api.error)}}
    made: Document = {
        str(route.status): {
            "description": route.summary,
            "content": {"application/json": {"schema": reference(route.answer)}},
        }
    }
    return made | {str(status): {"description": told[status], "content": content} for status in sorted(told)}
