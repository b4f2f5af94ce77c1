"""The shell around the screens: places, header, banners, help, palette, quitting."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from textual.widgets import Input

from support.backend import Service
from support.canned import COMMANDS, Canned
from support.console import Operator, open_canned
from support.operator import SMALL, Desk, demo_service, desk_over
from support.wire import Wire, about
from tui_app.client.backend import BackendClient
from tui_app.contract.models import ColumnModel
from tui_app.domain.errors import CannotConnect, NotSignedIn, RateLimited
from tui_app.tui.app import QuashApp
from tui_app.tui.clipboard import LONGEST, sequence
from tui_app.tui.copying import Copying
from tui_app.tui.screens.ask import Ask
from tui_app.tui.screens.copy import CopyMenu
from tui_app.tui.screens.help import HelpScreen
from tui_app.tui.screens.items import ItemsScreen
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.widgets.banner import Banner


async def test_a_service_that_does_not_answer_is_said_and_tried_again(local: Service) -> None:
    wire = Wire(local)
    wire.cut = True
    app = QuashApp(wire.client, utf8=True)
    async with app.run_test(size=SMALL) as pilot:
        desk = Desk(app, pilot, local)
        await desk.sees("The service does not answer", "Check that it runs", "Trying again in", "r tries now")
        await desk.press("x")
        assert desk.said == ["Not connected yet; r tries again."]
        wire.cut = False
        await desk.press("r")
        await desk.until(lambda: app.about is not None)
        await desk.settled()
        assert app.notice is None
        assert desk.numbers == "1–19 of 216"
        wire.cut = True
        await desk.press("r")
        await desk.sees("does not answer")
        assert desk.numbers.endswith("of 216"), "the rows stay"
        wire.cut = False
        app.countdown = 0
        app._tick()
        await desk.until(lambda: app.notice is None)


async def test_items_that_cannot_be_read_stay_said_although_the_runs_can_be(local: Service) -> None:
    wire = Wire(local)
    wire.lost = "/v1/systems/commands/items"
    app = QuashApp(wire.client, utf8=True)
    async with app.run_test(size=SMALL) as pilot:
        desk = Desk(app, pilot, local)
        await desk.until(lambda: "/v1/runs" in wire.answered)
        await app.workers.wait_for_complete()
        await desk.sees("The service does not answer", "r tries now")
        wire.lost = None
        await desk.press("r")
        await desk.until(lambda: app.notice is None)


async def test_a_factory_that_fails_is_said_and_not_a_crash(local: Service) -> None:
    def refuse() -> BackendClient:
        raise CannotConnect("the journal is locked by [@click=app.quit]another[/]")

    app = QuashApp(refuse, utf8=True)
    async with app.run_test(size=SMALL) as pilot:
        await Desk(app, pilot, local).sees("The journal is locked by [@click=app.quit]another[/]")


async def test_what_nobody_foresaw_is_reported_without_values(local: Service, tmp_path: Path) -> None:
    secret = "token-3f9a"

    def broken() -> BackendClient:
        held = secret
        raise ZeroDivisionError(held)

    app = QuashApp(broken, utf8=True, reports=tmp_path)
    async with app.run_test(size=SMALL) as pilot:
        await Desk(app, pilot, local).sees("A defect: ZeroDivisionError")
    assert app.crash is not None
    assert app.crash.parent == tmp_path
    assert app.crash.stat().st_mode & 0o777 == 0o600
    text = app.crash.read_text()
    assert "builtins.ZeroDivisionError" in text
    assert "in broken" in text or " broken" in text
    assert secret not in text


async def test_where_nothing_could_be_read_the_table_says_why() -> None:
    column = ColumnModel.model_validate(
        {
            "field": "id",
            "title": "Id",
            "kind": "id",
            "width": 20,
            "flexible": True,
            "priority": 1,
            "sortable": True,
            "groupable": False,
        }
    )
    canned = Canned(systems=[COMMANDS.model_copy(update={"columns": [column]})])
    canned.answers["GET", "/v1/systems/commands/items"] = NotSignedIn("cases: the token is refused", hint="Renew it.")
    app = QuashApp(canned.client, utf8=True)
    async with app.run_test(size=SMALL) as pilot:
        operator = Operator(app, pilot)
        await operator.sees("cases: the token is refused. Renew it.")
        await operator.until(lambda: "no rows yet" not in operator.text, "the numbers")
        assert isinstance(app.screen, ItemsScreen)
        assert app.screen.table.message == "cases: the token is refused. Renew it."


async def test_a_backend_that_asks_us_to_wait_is_one_calm_line_with_one_countdown() -> None:
    canned = Canned()
    hint = "Ask again in 60 s. Level 1: wait. Level 2: look. Level 3: contact the team."
    canned.answers["GET", "/v1/runs"] = RateLimited("cases: the server asks us to wait", hint=hint, retry_after=60)
    async with open_canned(canned, SMALL) as operator:
        await operator.sees("cases: the server asks us to wait. Trying again in", "s; r tries now.")
        banner = operator.app.screen.query_one(Banner)
        assert banner.has_class("-warning")
        assert banner.size.height == 1
        assert "Ask again" not in operator.text
        assert "Level" not in operator.text
        canned.answers["GET", "/v1/runs"] = {"runs": []}
        await operator.press("r")
        await operator.until(lambda: operator.app.notice is None, "the end of the banner")


async def test_the_header_says_where_we_are(local: Service) -> None:
    facts = {"profile": "prod", "environment": "production", "operator": "jane@example.com"}
    async with desk_over(local, client=Wire(local, about(**facts)).client) as desk:
        first = desk.text.splitlines()[0]
        assert first.rstrip().endswith("prod | PRODUCTION | jane@example.com | may write")
        assert desk.app.screen.query("Header.-production")
    async with desk_over(local, client=Wire(local, about(read_only=True)).client) as desk:
        assert desk.text.splitlines()[0].rstrip().endswith("read-only")
        await desk.press("x")
        assert desk.said == ["This profile is read-only: nothing can be planned or cancelled from here."]
        assert isinstance(desk.app.screen, ItemsScreen)


async def test_a_console_on_a_journal_that_cannot_be_written_says_so(local: Service) -> None:
    facts = {"read_only": True, "notice": "this journal cannot be written"}
    async with desk_over(local, client=Wire(local, about(**facts)).client) as desk:
        await desk.until(lambda: desk.app.notice is not None)
        assert "this journal cannot be written" in desk.text
        assert desk.text.splitlines()[0].rstrip().endswith("read-only")


async def test_an_empty_system_says_so_and_names_the_demo(tmp_path: Path) -> None:
    async with demo_service("embedded", tmp_path, rows=0) as service, desk_over(service) as desk:
        assert "There are no commands here." in desk.text
        assert "quash demo" in desk.text
        await desk.does("mark_all")
        assert desk.said == ["There are no rows here."]


async def test_the_places_have_fixed_numbers_also_where_a_system_is_absent(small: Desk) -> None:
    await small.press("2")
    assert small.said == ["This profile has no cases; a profile names the systems it has."]
    await small.on("runs").on("ledger").on("commands")
    assert small.numbers == "1–19 of 216"


async def test_a_place_opened_before_it_is_known_to_be_absent_says_so(local: Service) -> None:
    wire = Wire(local)
    wire.cut = True
    app = QuashApp(wire.client, utf8=True)
    async with app.run_test(size=SMALL) as pilot:
        desk = Desk(app, pilot, local)
        await desk.sees("does not answer")
        await desk.press("3")
        await desk.until(lambda: app.current_mode == "schedules")
        wire.cut = False
        await desk.settled_keys()
        await desk.press("r")
        await desk.sees("This profile has no schedules.")


async def test_a_place_is_left_as_it_was(small: Desk) -> None:
    await small.mark(2).does("down").on("ledger").on("commands")
    assert small.table.marks.count == 2
    assert small.here == small.table.rows[3].id
    assert small.table.has_focus


@pytest.mark.parametrize(("size", "shown"), [((59, 24), True), ((80, 15), True), ((60, 16), False)])
async def test_a_terminal_that_is_too_small_says_what_is_needed(local: Service, size: tuple[int, int], shown: bool):
    async with desk_over(local, size) as desk:
        assert ("quash needs 60×16; this terminal has" in desk.text) is shown


async def test_a_terminal_that_grows_shows_everything_again(small: Desk) -> None:
    await small.pilot.resize_terminal(50, 10)
    await small.sees("quash needs 60×16; this terminal has 50×10.")
    await small.pilot.resize_terminal(120, 40)
    await small.sees("1–35 of 216", "can be cancelled")


async def test_quitting_asks_only_while_something_would_be_lost(small: Desk) -> None:
    await small.mark(2).on("ledger")
    await small.press("Q")
    await small.until(lambda: isinstance(small.app.screen, Ask))
    await small.sees("2 marked in Commands", "What runs goes on.")
    await small.settled_keys()
    await small.press("n")
    await small.until(lambda: not isinstance(small.app.screen, Ask))
    await small.on("commands").does("clear")
    await small.press("q")
    await small.until(lambda: small.app.return_code == 0)


async def test_q_goes_one_level_back_and_quits_only_at_the_top(small: Desk) -> None:
    await small.does("detail")
    await small.press("q")
    await small.until(lambda: isinstance(small.app.screen, ItemsScreen))
    assert small.app.return_code is None
    await small.press("escape")
    await small.settled()
    assert small.app.return_code is None
    await small.press("ctrl+c")
    assert small.said == ["Q quits; what runs goes on."]


async def test_keys_typed_while_a_screen_opens_do_not_act_on_the_one_that_is_left(small: Desk) -> None:
    await small.mark(1)
    marks = small.table.marks
    table = small.table
    # Without a pause between them, as a fast typist or a paste sends them.
    for key in ("x", "a", "a", "space"):
        small.app.simulate_key(key)
    await small.until(lambda: isinstance(small.app.screen, ReviewScreen))
    await small.settled_review()
    assert table.marks is marks


async def test_help_is_of_this_screen_and_can_be_searched(small: Desk) -> None:
    await small.does("help")
    assert isinstance(small.app.screen, HelpScreen)
    await small.sees("Move down.")
    await small.type("only")
    await small.sees("Show only what is marked", "not now: Nothing is marked; space marks a row.")
    assert "Move down." not in small.text
    small.app.screen.query_one(Input).value = "zzz"
    await small.sees("No action matches zzz.")
    await small.press("escape")
    await small.until(lambda: isinstance(small.app.screen, ItemsScreen))


async def test_the_palette_finds_actions_by_name(small: Desk) -> None:
    await small.press("ctrl+p")
    await small.until(lambda: type(small.app.screen).__name__ == "CommandPalette")
    await small.type("mark everything")
    await small.sees("Mark everything the filter matches")
    await small.press("escape")
    await small.until(lambda: isinstance(small.app.screen, ItemsScreen))
    [command] = [each for each in small.app.get_system_commands(small.app.screen) if each.title.endswith("(a)")]
    await command.callback()
    assert small.table.marks.count == 216


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("i", lambda item: item.id),
        ("r", lambda item: f"{item.id}\t{item.fields['type']}\t{item.status}"),
        ("c", lambda item: f"/v1/systems/commands/items/{item.id.replace('/', '%2F')}"),
        ("l", lambda item: "quash list commands --filter status:IN_TROUBLESHOOTING_QUEUE --sort=-updated"),
    ],
)
async def test_copying_is_said_as_sent_to_the_terminal(small: Desk, monkeypatch, key, expected) -> None:
    written: list[str] = []
    monkeypatch.setattr("tui_app.tui.copying.to_terminal", lambda app, text: written.append(text))
    item = small.table.item
    await small.press("y")
    await small.until(lambda: isinstance(small.app.screen, CopyMenu))
    await small.settled_keys()
    await small.press(key)
    await small.until(lambda: written)
    assert expected(item) in base64.b64decode(written[0].removeprefix("\x1b]52;c;").removesuffix("\x07")).decode()
    assert small.said[0].endswith("was sent to the terminal.")


async def test_the_command_line_that_is_copied_is_for_the_profile_that_the_console_is_on(local: Service) -> None:
    async with desk_over(local, invocation=("quash", "--profile", "prod")) as desk:
        item = desk.table.item
        assert item is not None
        said = Copying(desk.items).text("command", item)
        assert said.startswith("quash --profile prod list commands --filter ")


def test_the_clipboard_sequence_passes_through_tmux_and_screen() -> None:
    plain = "\x1b]52;c;aWQ=\x07"
    assert sequence("id", {}) == plain
    assert sequence("id", {"TMUX": "/tmp/tmux-0/default,1,0"}) == f"\x1bPtmux;\x1b{plain}\x1b\\"
    assert sequence("id", {"STY": "1.pts"}) == f"\x1bP{plain}\x1b\\"
    assert sequence("x" * (LONGEST + 1), {}) is None


async def test_a_run_that_nobody_works_on_is_offered_at_the_start(local: Service) -> None:
    async with desk_over(local) as desk:
        await desk.mark(2)
        ids = list(desk.table.marks.ids)
    from support.console import request
    from tui_app.contract.runs import RunRequest

    client = local.client_of("jane@example.com", "operate")
    plan = await client.plan(request(ids))
    assert plan.hash is not None
    confirmed = RunRequest(hash=plan.hash, reason="duplicate request", expect_count=2)
    await client.run(plan.id, confirmed, "1b4e28ba-2fa1-41d2-883f-0016d3cca427")
    await client.close()
    async with desk_over(local) as desk:
        await desk.sees("Nobody works on 1 run with 2 items left. 4 goes to Runs, where space resumes.")
        await desk.on("runs")
        assert desk.app.notice is None


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("COMANDS", "Did you mean :commands?"),
        ("commands" * 9, "There are commands"),
        ("theme Quash-Drak", "Did you mean 'quash-dark'?"),
    ],
)
async def test_a_slip_in_a_command_is_answered_in_any_case_and_length(small: Desk, typed: str, told: str) -> None:
    await small.press("colon")
    await small.settled_keys()
    await small.type(typed)
    await small.press("enter")
    await small.until(lambda: small.said)
    assert told in small.said[0]


async def test_a_command_that_is_not_there_is_answered_with_a_near_one(small: Desk) -> None:
    await small.press("colon")
    await small.settled_keys()
    await small.type("comands")
    await small.press("enter")
    await small.until(lambda: small.said)
    assert "Did you mean :commands?" in small.said[0]
    await small.press("colon")
    await small.settled_keys()
    await small.press("up")
    assert small.app.screen.query_one(Input).value == "comands"
    small.app.screen.query_one(Input).value = "ledger"
    await small.press("enter")
    await small.until(lambda: small.app.current_mode == "ledger")


async def test_nothing_moves_without_a_key(small: Desk) -> None:
    assert small.app.animation_level == "none"
    assert not small.table.show_vertical_scrollbar


async def test_ascii_where_the_terminal_speaks_nothing_else(local: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_app.tui.text._Terminal.ascii", False)
    app = QuashApp(lambda: local.client_of("jane@example.com", "operate"), utf8=False)
    async with app.run_test(size=SMALL) as pilot:
        desk = Desk(app, pilot, local)
        await desk.until(lambda: app.about is not None)
        await desk.settled()
        await desk.mark(1)
        table = [strip.text for strip in desk.table.render_lines(desk.table.size.region)]
        assert all(line.isascii() for line in table)
        assert table[1].startswith("* ")
        await desk.press("x")
        await desk.sees("type yes to cancel 1")
        assert desk.text.isascii()
        assert "|" in desk.text
        await desk.press("escape")
        await desk.settled()
        assert "1-19 of 216" in desk.numbers
