"""Schedules as the native routes write them, as their audit keeps them, and as their queue holds them.

Pure; rows are whatever can be asked by column name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Row(Protocol):
    """A row of a whole schedule, with its variant, its connection and its post."""

    def __getitem__(self, name: str, /) -> Any: ...


def moment(stamp: str | None) -> str | None:
    """A moment to the second, as these routes write it."""
    return None if stamp is None else f"{stamp[:19]}Z"


def facts(row: Row) -> dict[str, Any]:
    """The schedule itself: what its audit keeps of it as it was."""
    return {
        "id": row["id"],
        "post_variant_id": row["post_variant_id"],
        "channel_connection_id": row["channel_connection_id"],
        "run_at": moment(row["run_at"]),
        "timezone": row["timezone"],
        "run_at_local": row["run_at_local"],
        "status": row["status"],
        "attempt_count": row["attempts"],
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
    }


def schedule(row: Row) -> dict[str, Any]:
    """The schedule as it is answered, with cancellation details, content and channel."""
    return {
        **facts(row),
        "cancelled_at": moment(row["cancelled_at"]),
        "cancellation_reason": row["cancellation_reason"],
        "post_variant": {
            "id": row["post_variant_id"],
            "content": row["content"],
            "channel_id": row["channel_id"],
        },
        "channel_connection": {
            "id": row["channel_connection_id"],
            "display_name": row["display_name"],
        },
    }


def message(row: Row) -> dict[str, Any]:
    """What the queue of due posts holds of a schedule."""
    return {
        "schedule_id": row["id"],
        "post_variant_id": row["post_variant_id"],
        "channel_connection_id": row["channel_connection_id"],
        "attempt_count": row["attempts"],
    }


def pagination(page: int, limit: int, total: int) -> dict[str, Any]:
    """Where a page stands among all."""
    pages = -(-total // limit)
    return {
        "page": page,
        "limit": limit,
        "total": total,
        "total_pages": pages,
        "has_next": page < pages,
        "has_prev": page > 1 and total > 0,
    }


def audit_entry(row: Row, details: Mapping[str, Any]) -> dict[str, Any]:
    """One audit entry as it is answered."""
    return {
        "event": row["event"],
        "timestamp": moment(row["at"]),
        "principal_id": row["principal"],
        "details": dict(details),
    }
