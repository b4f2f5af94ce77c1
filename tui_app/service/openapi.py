"""The OpenAPI 3.1 document, made of the table of routes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tui_app import __version__
from tui_app.contract.models import Wire
from tui_app.contract.paths import IDEMPOTENCY
from tui_app.contract.problems import MEDIA_TYPE, STATUS, Problem
from tui_app.service.native import describe
from tui_app.service.native.table import NativeApi
from tui_app.service.table import Route

Document = dict[str, Any]
Mode = Literal["validation", "serialization"]

ALWAYS = ("USAGE", "UNAUTHORIZED", "FAULT")
"""What every route can answer."""

AS_HTTP = {"404": "NOT_FOUND", "405": "USAGE", "408": "USAGE", "413": "USAGE", "415": "USAGE"}
"""Statuses more exact than that of their code; see ``tui_app.service.requests.Rejected``."""

_REFERENCE = "#/components/schemas/{model}"


def document(table: Sequence[Route], native: Sequence[NativeApi] = ()) -> Document:
    """The document that describes these routes, and those of the native APIs that are served beside them."""
    found: Document = {}
    for route in table:
        found.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    for api in native:
        for one in api.routes:
            made = describe.operation(api, one, _in_query(one.query))
            found.setdefault(one.path, {})[one.method.lower()] = made
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "quash",
            "version": __version__,
            "description": "Find work that must not happen, stop it in bulk with a reason, and prove it afterwards.",
        },
        "paths": found,
        "components": {
            "schemas": _schemas(table, native),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"token": []}],
    }


def _schemas(table: Sequence[Route], native: Sequence[NativeApi]) -> Document:
    models: dict[tuple[type[BaseModel], Mode], None] = {(Problem, "serialization"): None}
    for route in table:
        if not isinstance(route.answer, str):
            models[route.answer, "serialization"] = None
        if route.body is not None and issubclass(route.body, Wire):
            models[route.body, "validation"] = None
    for api in native:
        models |= {
            (model, "validation" if of_request else "serialization"): None for model, of_request in describe.models(api)
        }
    _, schemas = models_json_schema(list(models), ref_template=_REFERENCE)
    definitions: Document = schemas["$defs"]
    return dict(sorted(definitions.items()))


def _operation(route: Route) -> Document:
    made: Document = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if route.body is not None:
        schema = _reference(route.body) if issubclass(route.body, Wire) else {"type": "string"}
        made["requestBody"] = {"required": True, "content": {route.media: {"schema": schema}}}
    if route.needs is not None:
        made["description"] = f"The token needs the permission `{route.needs}`."
    return made


def _reference(model: type[BaseModel]) -> Document:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _parameters(route: Route) -> list[Document]:
    text = {"type": "string", "minLength": 1}
    made: list[Document] = [
        {"name": name, "in": "path", "required": True, "schema": text} for name in re.findall(r"{(\w+)}", route.path)
    ]
    made += _in_query(route.query)
    if route.keyed:
        made.append(
            {
                "name": IDEMPOTENCY,
                "in": "header",
                "required": True,
                "schema": {"type": "string", "minLength": 1, "maxLength": 200},
            }
        )
    return made


def _in_query(model: type[BaseModel]) -> list[Document]:
    schema = model.model_json_schema()
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": _optional(field, definitions)}
        for name, field in schema.get("properties", {}).items()
    ]


def _optional(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> Document:
    """A field of a query without its null, which a query string cannot say, and with what it refers to in place."""
    if "$ref" in field:
        inner = dict(definitions[field["$ref"].rpartition("/")[2]])
        return {**inner, **{name: value for name, value in field.items() if name != "$ref"}}
    if "anyOf" not in field:
        return dict(field)
    kept = [_optional(one, definitions) for one in field["anyOf"] if one.get("type") != "null"]
    rest = {name: value for name, value in field.items() if name not in ("anyOf", "default")}
    return {**rest, **(kept[0] if len(kept) == 1 else {"anyOf": kept})}


def _responses(route: Route) -> Document:
    if isinstance(route.answer, str):
        schema: Document = {"type": "object"} if route.answer.endswith("/json") else {"type": "string"}
        content = {route.answer: {"schema": schema}}
    else:
        content = {"application/json": {"schema": _reference(route.answer)}}
    made: Document = {str(route.status): {"description": route.summary, "content": content}}
    for status, codes in sorted(_codes(route).items()):
        made[status] = {
            "description": ", ".join(sorted(codes)),
            "content": {MEDIA_TYPE: {"schema": _reference(Problem)}},
        }
    return made


def _codes(route: Route) -> dict[str, set[str]]:
    """The codes that a route can answer, by HTTP status."""
    made: dict[str, set[str]] = {}
    forbidden = ("FORBIDDEN",) if route.needs is not None else ()
    for code in (*ALWAYS, *forbidden, *route.errors):
        made.setdefault(str(STATUS[code]), set()).add(code)
    if route.body is not None:
        for status in ("408", "413", "415"):
            made.setdefault(status, set()).add("USAGE")
    return made
