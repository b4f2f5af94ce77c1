"""Descriptions that a service of others may give of a system: tables with columns that nobody would choose."""

from __future__ import annotations

from typing import Any


def column(field: str, title: str, kind: str = "text", width: int = 12, **more: Any) -> dict[str, Any]:
    """A column as it crosses the wire."""
    return {
        "field": field,
        "title": title,
        "kind": kind,
        "width": width,
        "flexible": False,
        "priority": 5,
        "sortable": True,
        "groupable": False,
        **more,
    }


ID = column("id", "Id", "id", 36)

ODD: dict[str, list[dict[str, Any]]] = {
    "no columns": [],
    "no id": [column("status", "Status", "status"), column("type", "Type")],
    "one column twice": [ID, column("type", "Type"), column("type", "Type again"), ID],
    "300 columns": [ID, *(column(f"field_{number}", f"Field {number}", flexible=True) for number in range(300))],
    "titles that act": [
        column("id", "\x1b[2J\x1b]52;c;ZXZpbA==\x07", "id", 36),
        column("type", "[@click=app.quit]x[/]"),
        column("status", "one\ntwo\u202e", "status"),
    ],
    "a title without an end": [ID, column("type", "t" * 100_000)],
    "no title": [column("id", "", "id", 36), column("type", "")],
    "widths that cannot be": [
        column("id", "Id", "id", -5),
        column("type", "Type", width=0),
        column("status", "Status", "status", 10**9, priority=-1),
    ],
    "a kind of tomorrow": [ID, column("type", "Type", "picture")],
    "our own verdict": [ID, column("verdict", "Verdict")],
}
