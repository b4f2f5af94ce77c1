"""How schedules describe themselves: statuses, columns, effects and their words."""

from __future__ import annotations

from types import MappingProxyType

from tui_app.domain.describe import Column, Description, Kind
from tui_app.domain.filters import Filter, Op, Term
from tui_app.domain.items import Sort
from tui_app.domain.verdict import EffectWords

PENDING = "pending"
QUEUED = "queued"
PUBLISHING = "publishing"
SUCCESS = "success"
FAILED = "failed"
CANCELLED = "cancelled"
STATUSES = (PENDING, QUEUED, PUBLISHING, SUCCESS, FAILED, CANCELLED)

OPEN = (PENDING, QUEUED)
"""The statuses that a schedule can be cancelled from."""

POST_SCHEDULED = "scheduled"
POST_READY = "ready"
POST_PUBLISHED = "published"

STAYS_IN = "SCHEDULE_STAYS_IN"
POST_PUT_BACK = "SCHEDULE_POST_PUT_BACK"
POST_KEPT = "SCHEDULE_POST_KEPT"
IN_QUEUE = "SCHEDULE_IN_QUEUE"
IRREVERSIBLE = "SCHEDULE_IRREVERSIBLE"

EFFECT_WORDS = {
    STAYS_IN: EffectWords(
        one="it does not go out on {target}",
        many="{count} posts do not go out on {target}",
    ),
    POST_PUT_BACK: EffectWords(
        one="its post is put back to ready: it has no other schedule that is to go out",
        many="{count} posts are put back to ready",
    ),
    POST_KEPT: EffectWords(
        one="its post stays scheduled: it has other schedules that are to go out",
        many="{count} schedules leave their posts scheduled, while others of these posts are to go out",
    ),
    IN_QUEUE: EffectWords(
        one="it is queued: the publisher may win",
        many="{count} are queued: the publisher may win",
        warning=True,
    ),
    IRREVERSIBLE: EffectWords(
        one="a cancelled schedule cannot be brought back; the post can be scheduled anew",
        many="{count} cancelled schedules cannot be brought back; their posts can be scheduled anew",
        irreversible=True,
    ),
}

COLUMNS = (
    Column("id", "Id", Kind.ID, width=16, flexible=True, priority=2),
    Column("run_at", "Goes out", Kind.DEADLINE, width=13, priority=1),
    Column("status", "Status", Kind.STATUS, width=11, priority=2, groupable=True),
    Column("channel", "Channel", width=12, priority=3, groupable=True),
    # Free text of any length: ordering by it would read every row, and tells nothing.
    Column("content", "Content", width=16, flexible=True, priority=2, sortable=False),
    Column("attempts", "Tries", Kind.NUMBER, width=5, priority=8),
    Column("post", "Post", width=12, priority=9, groupable=True),
    Column("owner", "Owner", width=16, priority=6, groupable=True),
    Column("updated", "Updated", Kind.TIME, width=19, priority=7),
)

EXTRA_KINDS = MappingProxyType(
    {
        "post_status": Kind.TEXT,
        "post_variant": Kind.TEXT,
        "channel_connection": Kind.TEXT,
        "timezone": Kind.TEXT,
        "created": Kind.TIME,
        "published": Kind.TIME,
        "cancelled": Kind.TIME,
        "reason": Kind.TEXT,
    }
)
"""Fields that are no column, but can be filtered on and stand in an item's detail."""

KINDS = MappingProxyType({column.field: column.kind for column in COLUMNS} | EXTRA_KINDS)
"""What every field of a schedule holds."""

LONGEST_CONTENT = 4_096
"""Characters of a content in a row: a page of five hundred has to stay a page."""

SEARCHED = ("id", "channel", "content", "owner")
"""The fields that free text looks into."""

DESCRIPTION = Description(
    system="schedules",
    title="Schedules",
    one="schedule",
    many="schedules",
    id_example="0b54c1de-6a0c-4b52-9d2e-5f1a7c3e8b90",
    id_pattern=r"(?=.*\d)[\w-]*\w",
    columns=COLUMNS,
    default_sort=Sort("run_at"),
    default_filter=Filter((Term("status", Op.ANY, OPEN),)),
    statuses=STATUSES,
    status_tones=MappingProxyType(
        {
            PENDING: "idle",
            QUEUED: "busy",
            PUBLISHING: "busy",
            SUCCESS: "good",
            FAILED: "bad",
            CANCELLED: "idle",
        }
    ),
    filter_fields=tuple(EXTRA_KINDS),
    effects=MappingProxyType(EFFECT_WORDS),
    reason_templates=(
        "campaign postponed",
        "changed marketing strategy",
        "wrong content",
        "wrong channel",
        "published by hand already",
    ),
    reason_goes_to="the schedule's audit; nobody is told",
    deadline="run_at",
)
