"""An API that knows no idempotency keys: nothing is sent to it twice, whatever became of the first request."""

from dataclasses import replace

import pytest

from support.case_server import JANE, TOKEN, CaseServer, Kept, Quirks
from support.orders import errand, orders
from support.raw_server import raw_server
from tui_app.domain import moments
from tui_app.domain.run import ItemState
from tui_app.outbound.http import HttpService
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.cases.dialects import RUNBOOK
from tui_app.systems.cases.http import HttpCases
from tui_app.systems.cases.line import CaseLine

ONE = "CASE-1"


async def lost(fault, *, dialect):
    """One order whose request met a fault, once; what was said of it, at once and by another process, and the posts."""
    mind = CaseServer(quirks=Quirks(audit="status_changed"), cases={ONE: Kept()})
    tokens = TokenSource.given(TOKEN)

    async def wait(seconds):
        mind.clock.forward(seconds)

    async with raw_server(mind.handle) as raw:
        service = HttpService(
            raw.url, tokens=tokens, shape=dialect.error_of, clock=mind.clock, patience=0.2, connect=0.2
        )

        def opened():
            return HttpCases(CaseLine(service, tokens, JANE, clock=mind.clock, dialect=dialect, wait=wait), raw.url)

        [order] = await orders(opened(), [ONE])
        await raw.arm(fault, lambda asked: asked.method == "POST", 1)
        [told] = await opened().execute([order], errand())
        await raw.mend()
        sent = replace(order, sent_at=moments.stamp(mind.clock.now()))
        [later] = await opened().reconcile([sent], errand())
        posts = sum(one.asked.method == "POST" for one in raw.log)
        await service.close()
        return told, later, posts, mind


KEYLESS = RUNBOOK.changed(key_header="none")


@pytest.mark.parametrize("fault", ["reset before the effect", "silent before the effect"])
async def test_what_may_have_been_sent_is_unknown_and_not_sent_again(fault):
    told, later, posts, mind = await lost(fault, dialect=KEYLESS)
    assert (told.state, later.state) == (ItemState.UNKNOWN, ItemState.UNKNOWN)
    assert "knows no idempotency keys" in later.message
    assert (posts, mind.effects) == (1, [])


@pytest.mark.parametrize("fault", ["reset after the effect", "silent after the effect"])
async def test_what_had_its_effect_is_found_and_not_claimed_by_an_audit_without_keys(fault):
    told, _, posts, mind = await lost(fault, dialect=replace(KEYLESS, key_header="X-Idempotency-Key"))
    assert posts == 1
    assert (told.state, told.ours, told.by) == (ItemState.ALREADY_CANCELLED, None, JANE)
    assert len(mind.effects) == 1


async def test_with_keys_the_same_request_is_sent_again():
    _, _, posts, mind = await lost("reset before the effect", dialect=RUNBOOK)
    assert posts >= 2
    assert len(mind.effects) == 1
