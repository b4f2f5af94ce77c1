"""How letters describe themselves."""

from __future__ import annotations

from types import MappingProxyType

from tui_app.domain.describe import Column, Description, Kind, Verb
from tui_app.domain.filters import Filter, Op, Term
from tui_app.domain.items import Sort
from tui_app.domain.verdict import YES, EffectWords, Verdict, VerdictCode

WAITING, POSTED, WITHDRAWN = "waiting", "posted", "withdrawn"

COLUMNS = (
    Column("id", "Letter", Kind.ID, width=10, priority=1),
    Column("posts_at", "Posted", Kind.DEADLINE, width=19, priority=2),
    Column("status", "Status", Kind.STATUS, width=10, priority=2, groupable=True),
    Column("addressee", "To", width=20, flexible=True, priority=3),
)

DESCRIPTION = Description(
    system="letters",
    title="Letters",
    one="letter",
    many="letters",
    id_example="L-0001",
    columns=COLUMNS,
    default_sort=Sort("posts_at"),
    default_filter=Filter((Term("status", Op.ANY, (WAITING,)),)),
    statuses=(WAITING, POSTED, WITHDRAWN),
    status_tones=MappingProxyType({WAITING: "busy", POSTED: "good", WITHDRAWN: "idle"}),
    verbs=(Verb.CANCEL, Verb.REINSTATE),
    effects=MappingProxyType(
        {
            "LETTER_KEPT": EffectWords("it stays in the drawer", "{count} letters stay in the drawer"),
            "LETTER_TOLD": EffectWords("{target} is told", "{count} letters are told of to {target}", notifies=True),
        }
    ),
    reason_templates=("wrong enclosure",),
    reason_goes_to="a note on the envelope",
    deadline="posts_at",
    notice="Your letter is not coming.\nReason: {reason}",
)

_CANCEL = {
    WAITING: YES,
    POSTED: Verdict.no(VerdictCode.TERMINAL, "it is in the post"),
    WITHDRAWN: Verdict.no(VerdictCode.ALREADY_CANCELLED, "it is withdrawn already"),
}
_REINSTATE = {
    WAITING: Verdict.no(VerdictCode.NOT_CANCELLED, "it is waiting, not withdrawn"),
    POSTED: Verdict.no(VerdictCode.NOT_CANCELLED, "it is in the post, not withdrawn"),
    WITHDRAWN: YES,
}
CLOSED = Verdict.no(VerdictCode.WINDOW_CLOSED, "it has been withdrawn for too long")
MISSING = Verdict.no(VerdictCode.NOT_FOUND, "there is no such letter")


def verdict(status: str, undo_until: str | None, verb: Verb, now: str) -> Verdict:
    """May a letter be withdrawn, or be put back."""
    found = (_CANCEL if verb is Verb.CANCEL else _REINSTATE)[status]
    return CLOSED if verb is Verb.REINSTATE and found.cancellable and (undo_until or "") <= now else found
