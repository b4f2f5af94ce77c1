"""A run whose items cannot be read just before they are sent: they have not changed for that, and are read again."""

import pytest

from support.between import STRANGERS, Between, Handled, carried
from support.case_server import JANE, TOKEN, CaseServer, Kept
from support.world import make_world
from tui_app.domain.items import Selection
from tui_app.domain.run import ItemState, RunState, Verified
from tui_app.outbound.http import HttpService
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.cases.dialects import error_of
from tui_app.systems.cases.http import HttpCases
from tui_app.systems.cases.line import TRIES, CaseLine

IDS = ("CASE-1", "CASE-2", "CASE-3")


@pytest.mark.parametrize("path", ["/CASE-2", "/CASE-2/status", "/CASE-2/dependencies", "/permissions/cancel_case"])
@pytest.mark.parametrize("status", ["401", "403", "404", "200"])
async def test_an_item_that_a_stranger_hides_is_sent_once_it_can_be_read(status, path, tmp_path):
    stranger = next(one for name, one in STRANGERS.items() if name.startswith(status))
    server = CaseServer()
    server.cases = {one: Kept() for one in IDS}
    between, tokens = Between(Handled(server.handle)), TokenSource.given(TOKEN)
    service = carried(HttpService("http://127.0.0.1:1", tokens=tokens, shape=error_of), between)

    async def wait(seconds: float) -> None:
        server.clock.forward(seconds)

    line = CaseLine(service, tokens, JANE, clock=server.clock, wait=wait)
    world = make_world(tmp_path, {"cases": HttpCases(line, "http://127.0.0.1:1")}, server.clock)
    try:
        run = await world.confirm(await world.plan(Selection("cases", ids=IDS)))
        # More than are tried in one look.
        between.arm(stranger, lambda asked: asked.path.endswith(path), times=TRIES + 1)
        record = await world.worker().drive(run.id)
        assert between.met
        assert record.state is RunState.FINISHED, record.pause
        for one in await world.items(run.id):
            assert (one.state, one.verification.verified) == (ItemState.CANCELLED, Verified.YES)
        assert sorted(one for one, _ in server.effects) == sorted(IDS)
    finally:
        await world.close()
