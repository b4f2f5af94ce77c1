"""The review over a real service: what it shows, what it refuses, and that enter twice is one run."""

import asyncio
import json

import httpx
import pytest
from textual import events

from support.backend import Service
from support.canned import Canned, blocked, item, plan, run
from support.console import Operator, open_canned, open_console, request
from support.world import TROUBLED, fill
from tui_app.contract.runs import RunModel
from tui_app.domain.errors import CannotConnect, MalformedId, NotAllowed, OutcomeUnknown
from tui_app.tui.path import open_review
from tui_app.tui.screens.review import ReviewScreen, drafts_of
from tui_app.tui.screens.run import RunScreen
from tui_app.tui.screens.runs import RunsScreen
from tui_app.tui.typed import LineEnd, TypedInput

ALL = f"status:{TROUBLED}"
REASON = "Bad deploy"


@pytest.fixture
async def operator(backend: Service):
    async with open_console(backend) as opened:
        yield opened


async def reviewing(operator: Operator, *ids: str, filter: str | None = None) -> ReviewScreen:
    open_review(operator.app, request(ids or None, filter))
    await operator.on(ReviewScreen)
    await operator.sees("in the plan")
    return operator.app.screen


def ids(number: int) -> list[str]:
    return [f"payments/c{one:06}" for one in range(number)]


async def runs(operator: Operator) -> list:
    return await operator.service.client.runs.list()


async def test_a_review_shows_the_numbers_the_groups_the_impact_and_the_command_line(operator):
    fill(operator.service.world.folder / "commands.db", 1, reply_queue="payments__gone")
    await reviewing(operator, *ids(3), "payments/c000030", "payments/none")
    await operator.sees(
        "5 in the plan, 3 will be cancelled, 2 blocked",
        "✗ 1 blocked: NOT_FOUND",
        "✗ 1 blocked: REPLY_QUEUE_MISSING",
        "✓ 3 will be cancelled",
        "payments/c000002",
        "Cannot be undone",
        "type yes to cancel 3",
        "the same: quash apply p",
    )


async def test_a_review_says_how_long_it_takes_and_which_windows_close_meanwhile():
    paces = [{"system": "cases", "items": 38, "rate": "5/minute", "seconds": 456}]
    service = Canned()
    service.plan(plan(38, paces=paces, undo_seconds=90))
    async with open_canned(service) as operator:
        open_review(operator.app, request())
        await operator.sees("38 cases at 5/minute take about 7 min 36 s", "undo windows (1 min 30 s) close before")


async def test_what_is_corrected_in_a_burst_is_what_was_meant(operator):
    screen = await reviewing(operator, *ids(3))
    operator.burst(
        *"wrong reson", *["backspace"] * 3, *"ason", "home", "delete", *"W", "enter", *"yed", "backspace", "s"
    )
    await operator.until(lambda: screen.form.confirmation.value.endswith("s"), "the last letter")
    assert (screen.form.reason.value, screen.form.confirmation.value) == ("Wrong reason", "yes")


async def test_the_expected_words_become_one_run(operator):
    await reviewing(operator, *ids(3))
    await operator.type(REASON)
    await operator.press("enter")
    await operator.type("yes")
    await operator.press("enter")
    await operator.on(RunScreen)
    [run] = await runs(operator)
    assert (run.reason, run.items, run.operator) == (REASON, 3, "jane@example.com")


async def test_enter_pressed_twice_is_one_run(operator):
    screen = await reviewing(operator, *ids(2))
    await operator.type(REASON)
    await operator.press("tab")
    await operator.type("yes")
    await operator.press("enter", "enter", "enter")
    await operator.on(RunScreen)
    assert len(await runs(operator)) == 1
    assert not screen.is_attached


async def test_enter_in_the_reason_never_confirms(operator):
    screen = await reviewing(operator, *ids(2))
    screen.form.confirmation.value = "yes"
    await operator.type(REASON)
    await operator.press("enter")
    assert screen.form.confirmation.has_focus
    assert await runs(operator) == []


async def test_keys_that_come_all_at_once_are_typed_where_they_were_meant(operator):
    screen = await reviewing(operator, *ids(2))
    for key in (*"duplicate", "enter", *"yes"):
        operator.app.post_message(_key(key))
    await operator.until(lambda: screen.form.confirmation.value == "yes", "the confirmation")
    assert screen.form.reason.value == "duplicate"
    assert await runs(operator) == []


def pasted(operator: Operator, text: str, kind: type[events.Key] | None = None) -> None:
    """Text that comes in one read, from a terminal that does not say that it was pasted."""
    for message in TypedInput().feed(text):
        operator.app.post_message(kind("enter", None) if kind and isinstance(message, LineEnd) else message)


@pytest.mark.parametrize("kind", [None, events.Key], ids=["as it is", "taken for enter"])
async def test_lines_that_are_pasted_without_being_marked_as_such_confirm_nothing(operator, kind):
    screen = await reviewing(operator, *ids(2))
    pasted(operator, "duplicate request\ryes\r", kind)
    if kind is not None:
        # What this is to find: every line's end is enter.
        await operator.on(RunScreen)
        return
    await operator.sees("A line's end came together with text, as in a paste, and did nothing. Press enter to go on.")
    assert screen.form.reason.value == "duplicate request yes "
    await operator.press("enter")
    assert screen.form.confirmation.has_focus
    pasted(operator, "yes\r")
    await operator.sees("as in a paste, and did nothing. Press enter to confirm.")
    assert screen.form.confirmation.value == "yes"
    assert await runs(operator) == []
    await operator.press("enter")
    await operator.on(RunScreen)
    [run] = await runs(operator)
    assert run.reason == "duplicate request yes"


async def test_without_a_reason_they_stay_in_the_reason(operator):
    screen = await reviewing(operator, *ids(2))
    for key in ("enter", *"yes", "enter", *"cancel"):
        operator.app.post_message(_key(key))
    # The first enter has nothing to go on with; the second has, since by then the words stand there.
    await operator.until(lambda: screen.form.confirmation.value == "cancel", "the confirmation")
    assert screen.form.reason.value == "yes"
    assert await runs(operator) == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (CannotConnect("cases do not answer"), "Cases do not answer."),
        (MalformedId("'x' is not an id"), "'x' is not an id."),
    ],
)
async def test_a_plan_that_cannot_be_made_says_so_and_what_to_do(error, says):
    canned = Canned()
    canned.plan(plan(2))
    answered, canned.answers["POST", "/v1/plans"] = canned.answers["POST", "/v1/plans"], error
    async with open_canned(canned) as operator:
        open_review(operator.app, request(ids(2)))
        await operator.sees("No plan could be made, and nothing was sent. esc goes back, F5 tries again.", says)
        assert "being made" not in operator.text
        await operator.type(REASON)
        await operator.press("enter")
        await operator.type("yes")
        await operator.press("enter")
        await operator.sees(says)
        canned.answers["POST", "/v1/plans"] = answered
        await operator.press("f5")
        await operator.sees("2 in the plan, 2 will be cancelled", "type yes to cancel 2")
        assert not canned.paths().count("/v1/plans/p1/runs")


async def test_a_plan_whose_making_ends_badly_is_not_waited_for():
    canned = Canned()
    begun = plan(2, state="building", hash=None, phrase=None, read=1)
    canned.plan(begun)
    canned.answers["GET", "/v1/plans/p1"] = begun.model_copy(update={"state": "failed", "error": "the disk is full"})
    async with open_canned(canned) as operator:
        open_review(operator.app, request(ids(2)))
        await operator.sees("No plan could be made, and nothing was sent.", "the disk is full")
        await operator.press("tab")
        await operator.type("yes")
        await operator.sees("the disk is full")
        assert "still being made" not in operator.text


async def test_a_plan_that_cannot_be_read_again_says_which():
    canned = Canned()
    of = plan(2)
    canned.plan(of)
    canned.answers["POST", "/v1/plans/p1/check"] = CannotConnect("the service does not answer")
    async with open_canned(canned) as operator:
        open_review(operator.app, of)
        await operator.sees("Plan p1 could not be read again, and nothing was sent.", "does not answer")
        assert "being made" not in operator.text


async def test_a_plan_that_a_viewer_may_not_read_again_is_shown_as_it_was_made():
    canned = Canned()
    of = plan(2)
    canned.plan(of)
    canned.answers["POST", "/v1/plans/p1/check"] = NotAllowed("the token has no permission 'operate'")
    async with open_canned(canned) as operator:
        open_review(operator.app, of)
        await operator.until(lambda: any("as it was made" in one.message for one in operator.app._notifications))
        await operator.sees("2 in the plan", "type yes to cancel 2")


async def test_the_options_are_reached_from_the_reason_backwards():
    canned = Canned()
    canned.plan(plan(2, notices={"commands": "It was cancelled.\nBecause: {reason}"}))
    canned.run(run(item(0), item(1)), item(0), item(1))
    canned.answers["POST", "/v1/plans/p1/runs"] = canned.answers["GET", "/v1/runs/r0123456789abcdef"]
    async with open_canned(canned) as operator:
        open_review(operator.app, request(ids(2)))
        await operator.sees("they read: It was cancelled.", "Because: ...", "[x] notify stakeholders")
        await operator.press("shift+tab", "space", "tab")
        await operator.type(REASON)
        await operator.sees("--no-notify", "[ ] notify stakeholders", "nobody is notified")
        await operator.press("tab")
        await operator.type("yes")
        await operator.press("enter")
        await operator.on(RunScreen)
        [confirmed] = [one for one in canned.asked if one.url.path == "/v1/plans/p1/runs"]
        assert json.loads(confirmed.content)["options"]["notify_stakeholders"] is False


@pytest.mark.parametrize("kept", ["by the selection", "by the console"])
async def test_what_was_entered_for_one_selection_is_not_meant_for_another(kept, monkeypatch):
    if kept == "by the console":
        # What this test is to find: one draft for every review.
        monkeypatch.setattr("tui_app.tui.drafts._name", lambda _: "")
    canned = Canned()
    canned.plan(plan(2, notices={"commands": "It was cancelled.\nBecause: {reason}"}))
    async with open_canned(canned) as operator:
        open_review(operator.app, request(ids(2)))
        await operator.sees("type yes to cancel 2", "[x] notify stakeholders")
        await operator.type(REASON)
        await operator.press("shift+tab", "space")
        await operator.sees("[ ] notify stakeholders")
        await operator.press("escape")
        open_review(operator.app, request(ids(3)))
        await operator.sees("type yes to cancel 2", "notify stakeholders")
        form = operator.app.screen.form
        assert ((form.reason.value, form.notifies) == ("", True)) is (kept == "by the selection")
        await operator.press("f3")
        await operator.sees("The last reasons", REASON)
        await operator.press("escape", "escape")
        open_review(operator.app, request(reversed(ids(2))))
        await operator.sees("[ ] notify stakeholders")
        assert operator.app.screen.form.reason.value == REASON


async def test_a_draft_ends_with_the_run_that_came_of_it():
    canned = Canned()
    canned.plan(plan(2, notices={"commands": "Because: {reason}"}))
    canned.run(run(item(0), item(1)), item(0), item(1))
    canned.answers["POST", "/v1/plans/p1/runs"] = canned.answers["GET", "/v1/runs/r0123456789abcdef"]
    async with open_canned(canned) as operator:
        open_review(operator.app, request(ids(2)))
        await operator.sees("[x] notify stakeholders")
        await operator.press("shift+tab", "space", "tab")
        await operator.type(REASON)
        await operator.press("enter")
        await operator.type("yes")
        await operator.press("enter")
        await operator.on(RunScreen)
        draft = drafts_of(operator.app).of(request(ids(2)))
        assert (draft.reason, draft.notify) == ("", True)


async def test_what_was_chosen_for_those_who_are_notified_says_nothing_where_nobody_is():
    canned = Canned()
    canned.plan(plan(2))
    async with open_canned(canned) as operator:
        drafts_of(operator.app).of(request(ids(2))).notify = False
        open_review(operator.app, request(ids(2)))
        await operator.sees("type yes to cancel 2", "the same: quash cancel commands")
        assert "--no-notify" not in operator.text
        assert "notify stakeholders" not in operator.text


async def test_a_plan_that_reinstates_says_so_everywhere():
    canned = Canned()
    facts = {"verb": "reinstate", "drift": {"state": "done", "read": 3, "changed": 1, "gone": 1}}
    of = plan(2, blocked=[{"code": "WINDOW_CLOSED", "count": 1}], impact=[], irreversible=False, **facts)
    canned.plan(of, blocked(2, "WINDOW_CLOSED", "its window closed"))
    async with open_canned(canned) as operator:
        open_review(operator.app, of)
        await operator.sees(
            "2 will be reinstated, 1 blocked",
            "1 changed since seen, can still be reinstated",
            "1 changed since seen, cannot be reinstated any more",
            "1 blocked: WINDOW_CLOSED",
            "type yes to reinstate 2",
            "quash apply p1",
        )
        assert "cancel" not in operator.text


@pytest.mark.parametrize(
    ("state", "said"),
    [("running", True), ("queued", True), ("paused", False), ("finished", False)],
)
async def test_undoing_a_run_that_goes_on_says_that_confirming_pauses_it_and_pauses_nothing_before(state, said):
    canned = Canned()
    items = [item(0), item(1, "planned")]
    going = run(*items, state=state, plan="p0")
    canned.run(going, *items)
    of = plan(1, verb="reinstate", undoes=going.id, impact=[], irreversible=False)
    canned.plan(of)
    canned.answers["POST", f"/v1/runs/{going.id}/undo"] = of
    async with open_canned(canned) as operator:
        open_review(operator.app, of)
        await operator.sees("type yes to reinstate 1")
        await operator.until(lambda: f"/v1/runs/{going.id}" in canned.paths("GET"), "the run")
        await operator.until(lambda: any("arrived" in str(one.url) for one in canned.asked), "what arrived")
        assert ("run r0123456 is paused when you confirm" in operator.text) is said
        assert operator.app.screen.form.reason.placeholder == "why"
        await operator.press("escape")
        await operator.until(lambda: not isinstance(operator.app.screen, ReviewScreen), "the way back")
        assert not [path for path in canned.paths() if path.endswith(("/pause", "/stop"))]


@pytest.mark.parametrize("typed", ["y", "no", "YES", "2", ""])
async def test_anything_else_says_what_is_expected_and_keeps_everything(operator, typed):
    screen = await reviewing(operator, *ids(2))
    await operator.type(REASON)
    await operator.press("enter")
    await operator.type(typed)
    await operator.press("enter")
    await operator.sees("Type exactly: yes")
    assert (screen.form.reason.value, screen.form.confirmation.value) == (REASON, typed)
    assert await runs(operator) == []


async def test_above_twenty_the_number_is_typed(operator):
    await reviewing(operator, filter=ALL)
    await operator.sees("type 30 to cancel 30")
    await operator.type(REASON)
    await operator.press("enter")
    await operator.type("yes")
    await operator.press("enter")
    await operator.sees("Type exactly: 30")
    await operator.press("ctrl+u")
    await operator.type("30")
    await operator.press("enter")
    await operator.on(RunScreen)


async def test_a_paste_confirms_nothing(operator):
    screen = await reviewing(operator, *ids(2))
    await operator.type(REASON)
    await operator.press("enter")
    operator.app.post_message(events.Paste("yes"))
    await operator.sees("A paste confirms nothing")
    assert screen.form.confirmation.value == ""
    await operator.press("enter")
    await operator.sees("Type exactly: yes")
    assert await runs(operator) == []


def _key(name: str) -> events.Key:
    return events.Key(name, name if len(name) == 1 else None)


async def test_a_pasted_reason_becomes_one_line(operator):
    screen = await reviewing(operator, *ids(2))
    operator.app.post_message(events.Paste("two\nlines\tof it"))
    await operator.until(lambda: screen.form.reason.value == "two lines of it")


@pytest.mark.parametrize(("reason", "says"), [("a", "has 1 character; at least 3"), ("", "A reason is required")])
async def test_enter_stays_in_a_reason_that_is_none_and_says_what_it_lacks(operator, reason, says):
    screen = await reviewing(operator, *ids(2))
    await operator.type(reason)
    await operator.press("enter")
    await operator.sees(says)
    assert screen.form.reason.has_focus
    await operator.type("no")
    await operator.until(lambda: (says in operator.text) is (reason == ""), "what is said, as long as it holds")
    await operator.type("w")
    await operator.sees("type yes to cancel 2")
    await operator.press("enter")
    await operator.until(lambda: screen.form.confirmation.has_focus, "the confirmation")
    assert (screen.form.reason.value, screen.form.confirmation.value) == (f"{reason}now", "")
    assert await runs(operator) == []


async def test_tab_goes_on_without_a_reason_and_enter_there_comes_back_for_it(operator):
    screen = await reviewing(operator, *ids(2))
    await operator.press("tab")
    await operator.type("yes")
    assert screen.form.confirmation.value == "yes"
    await operator.press("enter")
    await operator.sees("A reason is required")
    assert screen.form.reason.has_focus
    assert await runs(operator) == []


@pytest.mark.parametrize("hostile", ["[@click=app.quit]x[/]", "a[/]b", "back\u202ewards", "esc\x1b]52;c;eA==\x07"])
async def test_a_hostile_reason_is_shown_and_inert(operator, hostile):
    screen = await reviewing(operator, *ids(2))
    screen.form.write(hostile)
    await operator.press("enter")
    await operator.type("yes")
    await operator.pilot.pause()
    assert "\x1b" not in operator.text
    assert "\u202e" not in operator.text
    await operator.press("enter")
    if "\x1b" in hostile:
        await operator.sees("control characters")
        return
    await operator.on(RunScreen)
    [run] = await runs(operator)
    assert run.reason == hostile
    assert "\u202e" not in operator.text
    await operator.sees(hostile.replace("\u202e", "\\u202e"))


async def test_nothing_to_cancel_cannot_be_confirmed(operator):
    await reviewing(operator, "payments/none")
    await operator.sees("Nothing in this plan can be cancelled")
    await operator.type(REASON)
    await operator.press("enter")
    await operator.type("yes")
    await operator.press("enter")
    await operator.sees("Leave the review and choose other items")
    assert await runs(operator) == []


async def test_escape_keeps_the_reason_for_the_next_opening_and_the_plan_under_runs(operator):
    await reviewing(operator, *ids(2))
    await operator.type(REASON)
    await operator.press("escape")
    await operator.on(RunsScreen)
    await operator.sees("not applied", "2 in the plan, 2 will be cancelled")
    again = await reviewing(operator, *ids(2))
    assert again.form.reason.value == REASON
    assert await runs(operator) == []


async def test_a_used_reason_is_offered_and_no_longer_filled_in(operator):
    await reviewing(operator, *ids(1))
    await operator.type(REASON)
    await operator.press("enter")
    await operator.type("yes")
    await operator.press("enter")
    await operator.on(RunScreen)
    again = await reviewing(operator, "payments/c000005")
    assert again.form.reason.value == ""
    await operator.press("f3")
    await operator.sees("The last reasons, and templates", REASON)
    await operator.press("enter")
    await operator.until(lambda: again.form.reason.value == REASON)
    assert again.form.reason.has_focus


async def test_an_expired_plan_offers_a_new_one_and_keeps_the_reason(operator):
    screen = await reviewing(operator, *ids(2))
    await operator.type(REASON)
    await operator.press("enter")
    await operator.type("yes")
    operator.service.world.clock.forward(3600)
    await operator.press("enter")
    await operator.sees("expired", "F5 makes a new one; the reason stays")
    first = screen.review.plan.id
    await operator.press("f5")
    await operator.until(lambda: screen.review.plan.id != first and screen.review.plan.state == "ready")
    await operator.sees("type yes to cancel 2")
    assert screen.form.reason.value == REASON
    await operator.type("yes")
    await operator.press("enter")
    await operator.on(RunScreen)


async def test_what_moved_since_is_told_when_a_plan_is_opened_again(operator):
    await reviewing(operator, *ids(3))
    await operator.press("escape")
    await operator.on(RunsScreen)
    await operator.sees("not applied")
    theirs = await operator.service.client.plan(request(ids(1)))
    await operator.service.client.run(theirs.id, _confirmed(theirs), "their-key")
    [run] = await runs(operator)
    await operator.meanwhile(operator.service.work(run.id))
    await operator.press("r")
    await operator.until(lambda: operator.app.screen._shown[-1].plan is not None)
    await operator.press("G", "enter")
    await operator.on(ReviewScreen)
    await operator.sees("1 changed since seen, cannot be cancelled any more", "payments/c000000")


def _confirmed(plan):
    from tui_app.contract.runs import RunRequest

    return RunRequest(hash=plan.hash, reason=REASON, expect_count=plan.counts.items)


async def test_a_group_is_opened_and_folded_again(operator):
    await reviewing(operator, *ids(2), *(f"payments/none{n}" for n in range(9)))
    await operator.sees("9 blocked: NOT_FOUND", "6 more; enter shows them")
    await operator.press("f6", "enter")
    await operator.sees("payments/none8")
    await operator.press("enter")
    await operator.sees("6 more; enter shows them")


async def test_a_profile_that_is_read_only_says_so(operator):
    operator.app.about = operator.app.about.model_copy(update={"read_only": True})
    await reviewing(operator, *ids(2))
    await operator.sees("This profile is read-only")


async def test_above_the_cap_is_refused_with_both_numbers(operator):
    operator.app.about = operator.app.about.model_copy(update={"cap": 5})
    await reviewing(operator, filter=ALL)
    await operator.sees("30 items are above the cap of 5")
    await operator.type(REASON)
    await operator.press("enter")
    await operator.type("30")
    await operator.press("enter")
    await operator.sees("Split the work")
    assert await runs(operator) == []


async def test_the_editor_writes_the_reason(operator, monkeypatch):
    screen = await reviewing(operator, *ids(1))
    monkeypatch.setattr("tui_app.tui.reasons.edit", lambda text: f"{text} and more")
    monkeypatch.setattr(type(operator.app), "suspend", _not_suspended)
    await operator.type("Why")
    await operator.press("f4")
    await operator.until(lambda: screen.form.reason.value == "Why and more")


def _not_suspended(self):
    from contextlib import nullcontext

    return nullcontext()


async def confirming(operator: Operator) -> ReviewScreen:
    open_review(operator.app, request(["payments/c000000"]))
    await operator.on(ReviewScreen)
    await operator.sees("type yes to cancel 3")
    await operator.type(REASON)
    await operator.press("enter")
    await operator.type("yes")
    await operator.press("enter")
    return operator.app.screen


async def test_a_plan_whose_answer_was_lost_is_said_to_have_sent_nothing():
    def lost(asked: httpx.Request) -> None:
        raise httpx.ReadError("connection reset", request=asked)

    canned = Canned()
    canned.answers["POST", "/v1/plans"] = lost
    async with open_canned(canned) as operator:
        open_review(operator.app, request(["payments/c000000"]))
        await operator.on(ReviewScreen)
        await operator.sees("gave no answer to POST /v1/plans", "Nothing was sent; try again.")
        assert "Not known" not in operator.text


async def test_a_confirmation_without_an_answer_is_repeated_as_the_same_run():
    canned = Canned()
    canned.plan(plan(3))
    path = "/v1/plans/p1/runs"
    canned.answers["POST", path] = OutcomeUnknown("the service gave no answer")
    async with open_canned(canned) as operator:
        await confirming(operator)
        await operator.sees("Not known: The service gave no answer", "Press enter again: it is one run")
        canned.run(run(item(0)), item(0))
        canned.answers["POST", path] = run(item(0))
        await operator.press("enter")
        await operator.on(RunScreen)
    keys = {asked.headers["idempotency-key"] for asked in canned.asked if asked.url.path == path}
    assert canned.paths().count(path) == 2
    assert len(keys) == 1


async def test_a_service_that_is_away_leaves_the_review_as_it_is():
    canned = Canned()
    canned.plan(plan(3))
    canned.answers["POST", "/v1/plans/p1/runs"] = CannotConnect("nobody answers")
    async with open_canned(canned) as operator:
        screen = await confirming(operator)
        await operator.sees("Nobody answers. Check that it runs")
        assert (screen.form.reason.value, screen.form.confirmation.value) == (REASON, "yes")


async def test_while_it_is_confirmed_it_cannot_be_left_and_not_be_confirmed_twice():
    canned = Canned()
    canned.plan(plan(3))
    canned.run(run(item(0)), item(0))
    answer = asyncio.Event()

    async def slowly() -> RunModel:
        await answer.wait()
        return run(item(0))

    canned.answers["POST", "/v1/plans/p1/runs"] = lambda _: slowly()
    async with open_canned(canned) as operator:
        await confirming(operator)
        await operator.sees("Confirming.")
        await operator.press("enter", "escape", "enter")
        await operator.sees("wait for the answer")
        answer.set()
        await operator.on(RunScreen)
    assert canned.paths().count("/v1/plans/p1/runs") == 1


async def test_production_wants_its_name():
    canned = Canned(environment="production")
    canned.plan(plan(3, phrase="production yes"))
    async with open_canned(canned) as operator:
        open_review(operator.app, request(["payments/c000000"]))
        await operator.on(ReviewScreen)
        await operator.sees("type production yes to cancel 3")
        await operator.type(REASON)
        await operator.press("enter")
        await operator.type("yes")
        await operator.press("enter")
        await operator.sees("Type exactly: production yes")
        assert canned.paths() == ["/v1/plans"]


async def test_a_profile_that_calls_a_service_production_is_marked_and_wants_its_name():
    canned = Canned(profile="ops", environment="staging")
    canned.plan(plan(3))
    canned.run(run(item(0)), item(0))
    canned.answers["POST", "/v1/plans/p1/runs"] = run(item(0))
    async with open_canned(canned, environment="production") as operator:
        await operator.sees("ops | PRODUCTION | jane@example.com | may write")
        assert operator.app.screen.query("Header.-production")
        open_review(operator.app, request(["payments/c000000"]))
        await operator.on(ReviewScreen)
        await operator.sees("type production yes to cancel 3")
        await operator.type(REASON)
        await operator.press("enter")
        await operator.type("yes")
        await operator.press("enter")
        await operator.sees("Type exactly: production yes")
        assert canned.paths() == ["/v1/plans"]
        await operator.press("home")
        await operator.type("production ")
        await operator.press("enter")
        await operator.on(RunScreen)
    [confirmed] = [asked for asked in canned.asked if asked.url.path == "/v1/plans/p1/runs"]
    assert json.loads(confirmed.content)["phrase"] == "yes"


@pytest.mark.parametrize("ours", ["", "staging", "production"])
async def test_a_service_in_production_stays_so_whatever_a_profile_calls_it(ours):
    canned = Canned(environment="production")
    async with open_canned(canned, environment=ours) as operator:
        await operator.sees("local | PRODUCTION | jane@example.com")


@pytest.mark.parametrize(("ours", "shown"), [("", "canary"), ("staging", "staging")])
async def test_a_profile_says_what_a_service_is_called_where_it_says_anything(ours, shown):
    async with open_canned(Canned(environment="canary"), environment=ours) as operator:
        await operator.sees(f"local | {shown} | jane@example.com")


async def test_what_arrived_since_the_plan_is_told_and_never_added():
    canned = Canned()
    canned.plan(plan(30, arrived=4))
    async with open_canned(canned) as operator:
        open_review(operator.app, request(filter=ALL))
        await operator.on(ReviewScreen)
        await operator.sees("30 in the plan, 30 will be cancelled", "+4 have arrived since", "type 30 to cancel 30")


@pytest.mark.parametrize("hostile", ["[@click=app.quit]x[/]", "a[/]b", "back\u202ewards", "\x1b]52;c;eA==\x07"])
async def test_what_a_plan_holds_is_shown_and_inert(hostile):
    canned = Canned()
    of = plan(
        0,
        blocked=[{"code": "NOT_FOUND", "count": 1}],
        impact=[{"code": "X", "text": hostile}],
        selection=hostile,
        reason=hostile,
    )
    canned.plan(of, blocked(0, "NOT_FOUND", hostile).model_copy(update={"id": hostile}))
    async with open_canned(canned) as operator:
        open_review(operator.app, request(["payments/c000000"]))
        await operator.on(ReviewScreen)
        shown = hostile.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b").replace("\x07", "\\x07")
        await operator.sees(shown)
        assert not {"\x1b", "\x07", "\u202e"} & set(operator.text)
