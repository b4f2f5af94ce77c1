"""That a token ends soon stands in the header, before it ends."""

from datetime import UTC, datetime, timedelta

import pytest

from support.backend import Service
from support.operator import Desk
from support.wire import Wire
from tui_app.contract.models import CredentialModel
from tui_app.domain.moments import stamp
from tui_app.tui.app import QuashApp
from tui_app.tui.credentials import ending
from tui_app.tui.widgets.header import Header

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def holding(**seconds):
    return [
        CredentialModel(system=name, expires_at=None if left is None else stamp(NOW + timedelta(seconds=left)))
        for name, left in seconds.items()
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ({}, ""),
        ({"cases": None}, ""),
        ({"cases": 600}, ""),
        ({"cases": 599}, "token expires in 9 min"),
        ({"cases": 7 * 60 + 1, "service": 9000}, "token expires in 7 min"),
        ({"cases": 9000, "schedules": 60}, "token expires in 1 min"),
        ({"cases": 59}, "token expires within a minute"),
        ({"cases": 0}, "token has expired"),
        ({"cases": -90, "service": None}, "token has expired"),
    ],
)
def test_the_token_that_ends_first_is_told_when_it_is_time(seconds, words):
    assert ending(holding(**seconds), NOW) == words


async def test_it_stands_in_the_header_and_goes_when_the_token_was_renewed(local: Service) -> None:
    left = timedelta(minutes=7, seconds=30)

    def change(path, body):
        if path != "/v1":
            return body
        return {**body, "credentials": [{"system": "cases", "expires_at": stamp(datetime.now(UTC) + left)}]}

    wire = Wire(local, change)
    app = QuashApp(wire.client, utf8=True)
    async with app.run_test(size=(120, 40)) as pilot:
        desk = Desk(app, pilot, local)
        await desk.sees("may write | token expires in 7 min")
        header = app.screen.query_one(Header)
        left = timedelta(hours=8)
        header._look()
        await desk.until(lambda: "token" not in header.render().plain)
        wire.cut = True
        header._look()
        await app.workers.wait_for_complete()
        assert app.notice is None, "whoever reads items says what is wrong"
