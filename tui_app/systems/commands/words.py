"""How commands describe themselves: statuses, columns, effects and their words."""

from __future__ import annotations

from types import MappingProxyType

from tui_app.domain.describe import Column, Description, Kind
from tui_app.domain.filters import Filter, Op, Term
from tui_app.domain.items import Sort
from tui_app.domain.verdict import EffectWords

PENDING = "PENDING"
IN_PROGRESS = "IN_PROGRESS"
COMPLETED = "COMPLETED"
FAILED = "FAILED"
CANCELED = "CANCELED"
IN_TROUBLESHOOTING = "IN_TROUBLESHOOTING_QUEUE"
STATUSES = (IN_TROUBLESHOOTING, PENDING, IN_PROGRESS, COMPLETED, FAILED, CANCELED)

REPLY = "REPLY"
NO_REPLY = "NO_REPLY"
SECOND_REPLY = "SECOND_REPLY"
BATCH = "BATCH"
COMPENSATION = "COMPENSATION"
IRREVERSIBLE = "IRREVERSIBLE"

EFFECT_WORDS = {
    REPLY: EffectWords(
        one="its sender is told: one reply to {target}",
        many="{count} replies to {target}",
    ),
    NO_REPLY: EffectWords(
        one="nobody is told: its sender wanted no reply",
        many="{count} senders are not told: they wanted no reply",
    ),
    SECOND_REPLY: EffectWords(
        one="it was cancelled before: its sender is told a second time, and may act a second time",
        many="{count} commands were cancelled before: their senders are told a second time, and may act a second time",
        warning=True,
    ),
    BATCH: EffectWords(
        one="its batch counts it as cancelled",
        many="{count} commands are counted as cancelled by their batches",
    ),
    COMPENSATION: EffectWords(
        one="a process manager waits for this command: the reply makes it run its compensations",
        many="{count} replies make a process manager run its compensations",
        warning=True,
    ),
    IRREVERSIBLE: EffectWords(
        one="a cancelled command cannot be brought back",
        many="{count} cancelled commands cannot be brought back",
        irreversible=True,
    ),
}

COLUMNS = (
    Column("id", "Id", Kind.ID, width=20, flexible=True, priority=1),
    Column("type", "Type", width=16, priority=4, groupable=True),
    Column("status", "Status", Kind.STATUS, width=24, priority=6, groupable=True),
    Column("error_code", "Error code", width=16, priority=2, groupable=True),
    # Free text of any length: ordering by it would read every row, and says nothing that the code does not.
    Column("error", "Error", width=20, flexible=True, priority=3, sortable=False),
    Column("attempts", "Tries", Kind.NUMBER, width=5, priority=7),
    Column("reply_queue", "Reply queue", width=16, priority=8, groupable=True),
    Column("updated", "Updated", Kind.TIME, width=19, priority=5),
)

EXTRA_KINDS = MappingProxyType(
    {
        "domain": Kind.TEXT,
        "command_id": Kind.TEXT,
        "correlation_id": Kind.TEXT,
        "batch": Kind.TEXT,
        "queue": Kind.TEXT,
        "created": Kind.TIME,
        "error_type": Kind.TEXT,
        "max_attempts": Kind.NUMBER,
    }
)
"""Fields that are no column, but can be filtered on and stand in an item's detail."""

KINDS = MappingProxyType({column.field: column.kind for column in COLUMNS} | EXTRA_KINDS)
"""What every field of a command holds."""

LONGEST_ERROR = 4_096
"""Characters of an error message in a row: a page of five hundred has to stay a page."""

SEARCHED = ("id", "type", "error_code", "error")
"""The fields that free text looks into."""

DESCRIPTION = Description(
    system="commands",
    title="Commands",
    one="command",
    many="commands",
    id_example="payments/6f1f0f4e-8f0a-4c55-9b2e-0d6f3a1c7e21",
    id_pattern=r"[^\s/]+/[^\s/]*\w",
    columns=COLUMNS,
    default_sort=Sort("updated", descending=True),
    default_filter=Filter((Term("status", Op.ANY, (IN_TROUBLESHOOTING,)),)),
    statuses=STATUSES,
    status_tones=MappingProxyType(
        {
            IN_TROUBLESHOOTING: "bad",
            PENDING: "idle",
            IN_PROGRESS: "busy",
            COMPLETED: "good",
            FAILED: "bad",
            CANCELED: "idle",
        }
    ),
    filter_fields=tuple(EXTRA_KINDS),
    effects=MappingProxyType(EFFECT_WORDS),
    reason_templates=(
        "duplicate request",
        "invalid request",
        "superseded by a later request",
        "invalid account",
        "caused by a faulty deploy",
    ),
    reason_goes_to="the reply to the sender, and the command's audit",
)
