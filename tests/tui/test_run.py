"""A run on screen: watched, steered, left, and told truthfully, over a real service and in states that are rare."""

import json
import stat
from dataclasses import replace
from datetime import timedelta

import pytest

from support.backend import Service
from support.canned import Canned, item, plan, run
from support.console import Operator, open_canned, open_console, request
from tui_app.contract.models import TrailModel
from tui_app.contract.runs import RunRequest, UndoModel
from tui_app.domain.errors import CannotConnect, NeedsTakeover, TargetChanged
from tui_app.tui.screens.choose import Choose
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.screens.run import RunScreen
from tui_app.tui.screens.runs import RunsScreen

HOSTILE = ["[@click=app.quit]x[/]", "a[/]b", "back\u202ewards", "\x1b]52;c;eA==\x07"]


@pytest.fixture
async def operator(backend: Service):
    async with open_console(backend) as opened:
        yield opened


async def confirmed(service: Service, *ids: str) -> str:
    client = service.client
    plan = await client.plan(request(ids))
    body = RunRequest(hash=plan.hash, reason="Bad deploy", expect_count=plan.counts.items)
    return (await client.run(plan.id, body, f"key-{plan.id}")).id


async def watching(operator: Operator, run_id: str) -> RunScreen:
    operator.app.push_screen(RunScreen(run_id))
    await operator.on(RunScreen)
    await operator.sees(f"Run {run_id}")
    return operator.app.screen


def ids(number: int) -> list[str]:
    return [f"payments/c{one:06}" for one in range(number)]


async def test_a_run_is_watched_from_the_start_to_its_verified_end(operator):
    service = operator.service
    run_id = await confirmed(service, *ids(3), "payments/none")
    await watching(operator, run_id)
    await operator.sees("0 cancelled · 0 refused · 0 skipped · 0 unknown · 4 left", "· waiting", "nobody works on it")
    await operator.meanwhile(service.work(run_id))
    await operator.sees("3 cancelled", "1 skipped", "0 left", "100%", "✓ finished · verified: 3 yes", "NOT_FOUND")
    await operator.sees("✓ cancelled ✓ verified payments/c000000", "IN_TROUBLESHOOTING_QUEUE → CANCELED")
    await operator.sees("trail of the system", "OPERATOR_CANCEL by jane@example.com")


async def test_an_outcome_can_be_chosen_to_see_its_items_only(operator):
    run_id = await confirmed(operator.service, *ids(3), "payments/none")
    await operator.meanwhile(operator.service.work(run_id))
    await watching(operator, run_id)
    await operator.sees("1 – skipped NOT_FOUND", "payments/c000002")
    await operator.press("shift+tab", "j")
    await operator.until(lambda: "payments/c000002" not in operator.text)
    await operator.sees("– skipped payments/none NOT_FOUND")


async def test_space_pauses_and_resumes_and_stopping_asks(operator):
    service = operator.service
    run_id = await confirmed(service, *ids(3))
    service.world.launcher.working = True
    await watching(operator, run_id)
    await operator.press("space")
    await operator.sees("asked to become paused")
    await operator.press("space")
    await operator.until(lambda: "asked to become paused" not in operator.text)
    await operator.press("S")
    await operator.on(Choose)
    await operator.sees("Stop run", "Let it go on")
    await operator.press("enter")
    await operator.on(RunScreen)
    assert (await service.client.runs.get(run_id)).wanted is None
    await operator.press("S")
    await operator.on(Choose)
    await operator.press("down", "enter")
    await operator.until(lambda: operator.app.screen._run.wanted or operator.app.screen._run.over)
    await operator.meanwhile(service.work(run_id))
    await operator.sees("– stopped", "3 skipped")
    assert service.world.records.cancels() == {}


async def test_closing_detaches_and_says_that_the_run_goes_on(operator):
    run_id = await confirmed(operator.service, *ids(2))
    await watching(operator, run_id)
    await operator.press("escape")
    await operator.on(RunsScreen)
    await operator.sees("The run goes on")
    await operator.sees("interrupted")
    await operator.press("enter")
    await operator.on(RunScreen)


async def test_control_c_asks_before_it_detaches(operator):
    run_id = await confirmed(operator.service, *ids(2))
    await watching(operator, run_id)
    await operator.press("ctrl+c")
    await operator.on(Choose)
    await operator.sees("Detach? The run goes on.")
    await operator.press("enter")
    await operator.on(RunScreen)
    await operator.press("ctrl+c")
    await operator.on(Choose)
    await operator.press("down", "enter")
    await operator.on(RunsScreen)
    assert not (await operator.service.client.runs.get(run_id)).over


@pytest.mark.parametrize("ending", ["md", "jsonl", "csv"])
async def test_a_report_is_written_to_a_new_file_for_its_owner_only(operator, tmp_path, ending):
    run_id = await confirmed(operator.service, *ids(2))
    await operator.meanwhile(operator.service.work(run_id))
    await watching(operator, run_id)
    await operator.sees("verified: 2 yes")
    path = tmp_path / f"report.{ending}"
    await operator.press("e")
    await operator.sees("Write a report")
    await operator.press("ctrl+u")
    operator.app.screen.query_one("Input").value = str(path)
    await operator.press("enter")
    await operator.sees("Written to")
    written = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(one in written for one in ids(2))
    if ending == "jsonl":
        assert next(json.loads(line) for line in written.splitlines())["run"]["id"] == run_id


async def test_a_report_never_overwrites(operator, tmp_path):
    run_id = await confirmed(operator.service, *ids(2))
    await watching(operator, run_id)
    there, link = tmp_path / "there.md", tmp_path / "link.md"
    there.write_text("theirs")
    link.symlink_to(tmp_path / "elsewhere.md")
    await operator.press("e")
    for path in (there, link):
        await operator.sees("Write a report")
        operator.app.screen.query_one("Input").value = str(path)
        await operator.press("enter")
        await operator.sees("is there already")
    assert there.read_text() == "theirs"
    assert not (tmp_path / "elsewhere.md").exists()


async def test_verifying_again_says_what_was_found(operator):
    run_id = await confirmed(operator.service, *ids(2))
    await operator.meanwhile(operator.service.work(run_id))
    await watching(operator, run_id)
    await operator.sees("verified: 2 yes")
    await operator.press("V")
    await operator.sees("Verified: 2 yes, 0 contradicted, 0 not known.")


async def rare(of, *items, **more) -> Canned:
    canned = Canned()
    canned.run(of, *items, **more)
    return canned


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_run_that_ended_so_begins_at_what_is_not_known_with_why_and_whom_to_ask(size):
    why = "no answer came. Level 3: contact #case-ops."
    items = [*(item(number) for number in range(250)), item(250, "unknown", message=why, key="k-1")]
    canned = Canned()
    canned.run(run(*items), *items)
    async with open_canned(canned, size) as operator:
        await watching(operator, run(*items).id)
        await operator.sees("payments/c000250", "? unknown", why, "250 ✓ cancelled")
        await operator.press("g")
        await operator.sees("payments/c000000", "IN_TROUBLESHOOTING_QUEUE → CANCELED")
        await operator.press("r")
        await operator.until(lambda: not [one for one in operator.app.workers if one.group == "unknown"], "rest")
        assert operator.app.screen.query_one("#run-items").cursor == 0, "whoever looks elsewhere is left there"


async def test_unknown_says_what_to_do_and_is_not_called_failed():
    items = [item(0), item(1, "unknown", message="no answer", key="k-1")]
    async with open_canned(await rare(run(*items), *items)) as operator:
        await watching(operator, "r0123456789abcdef")
        await operator.sees("1 ? unknown", "? needs a look")
        await operator.press("j")
        await operator.sees("no answer came. Its status and trail tell", "k-1")
        assert "failed" not in operator.text.lower()


SET_BACK = "the clock was set back by at least 23 h 59 min"
LONG = "cases: the server at https://cases.example.com says that this is not possible before the month is over"


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40)])
async def test_a_clock_that_was_set_is_said_in_the_run_beside_all_else(size):
    items = [item(0), item(1, "planned")]
    of = run(*items, state="paused", pause={"cause": "breaker", "message": LONG})
    undo = {"items": 1, "first_closes": "2999-01-01T00:00:00.000000Z", "last_closes": "2999-01-01T00:00:00.000000Z"}
    canned = await rare(of.model_copy(update={"undo": UndoModel(**undo)}), *items)
    async with open_canned(canned, size) as operator:
        await watching(operator, of.id)
        await operator.sees("1 can be undone", f"before the month is over · {operator.app.key_of('pause')} resumes")
        assert "the clock" not in operator.text
        told = {"undo": UndoModel(**undo), "clock": SET_BACK}
        canned.answers["GET", f"/v1/runs/{of.id}"] = of.model_copy(update=told)
        await operator.sees(f"{SET_BACK} while this run was under way", "1 can be undone", "1 left")
        assert any(f"{SET_BACK} while this run was under way" in line for line in operator.text.splitlines())
        # The times of the items still have their place below it.
        await operator.sees("payments/c000000")


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_what_is_said_of_the_clock_is_inert(hostile):
    items = [item(0)]
    async with open_canned(await rare(run(*items, clock=hostile), *items)) as operator:
        await watching(operator, "r0123456789abcdef")
        shown = hostile.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b").replace("\x07", "\\x07")
        await operator.sees(f"{shown} while this run was under way")
        assert not {"\x1b", "\x07", "\u202e"} & set(operator.text)


async def test_a_clock_that_is_set_while_a_run_is_watched_is_seen(operator):
    world, run_id = operator.service.world, await confirmed(operator.service, *ids(3))
    await watching(operator, run_id)
    await world.store.work.close_gate("commands", world.clock.now() + timedelta(seconds=30))
    jumps = [-timedelta(days=1)]

    async def wait(seconds: float) -> None:
        world.clock.forward(max(seconds, 0.01))
        if jumps:
            world.clock.jump(jumps.pop())

    await operator.meanwhile(replace(world.worker(), wait=wait).drive(run_id))
    await operator.sees("3 cancelled", "the clock was set back by 1 d 00 h while this run was under way")


async def test_a_contradiction_is_told():
    items = [item(0, verified="contradicted", note="the status is COMPLETED")]
    async with open_canned(await rare(run(*items), *items)) as operator:
        await watching(operator, "r0123456789abcdef")
        await operator.sees("✗ contradicted", "the status is COMPLETED", "1 contradicted")


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_what_a_system_says_is_shown_and_inert(hostile):
    items = [item(0, "refused", id=f"payments/{hostile}", code="NO", message=hostile, note=hostile)]
    trail = [TrailModel(at="then", event=hostile, actor=hostile, details={"reason": hostile})]
    of = run(*items, reason=hostile, operator=hostile)
    canned = await rare(of, *items)
    canned.answers["GET", f"/v1/systems/commands/items/{items[0].id}/trail"] = {
        "trail": [entry.model_dump() for entry in trail]
    }
    async with open_canned(canned) as operator:
        await watching(operator, "r0123456789abcdef")
        shown = hostile.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b").replace("\x07", "\\x07")
        await operator.sees(shown, "1 refused")
        assert not {"\x1b", "\x07", "\u202e"} & set(operator.text)
        assert operator.app.is_running


@pytest.mark.parametrize(
    ("error", "yes", "accepted"),
    [
        (NeedsTakeover("this run belongs to joe"), "Take it over", "take_over"),
        (TargetChanged("commands is another database"), "The change is meant", "accept_target"),
    ],
)
async def test_a_take_over_and_a_changed_target_are_asked_for(error, yes, accepted):
    items = [item(0, "planned")]
    paused = run(*items, state="paused", pause={"cause": "principal"})
    canned = await rare(paused, *items)

    def resume(asked):
        return paused.model_copy(update={"state": "running"}) if json.loads(asked.content)[accepted] else error

    canned.answers["POST", f"/v1/runs/{paused.id}/resume"] = resume
    async with open_canned(canned) as operator:
        await watching(operator, paused.id)
        await operator.press("space")
        await operator.on(Choose)
        await operator.sees(error.message, yes)
        await operator.press("enter")
        await operator.on(RunScreen)
        assert len(canned.paths()) == 1
        await operator.press("space")
        await operator.on(Choose)
        await operator.press("down", "enter")
        await operator.until(lambda: len(canned.paths()) == 3)


async def test_retrying_what_was_refused_opens_a_review_of_a_new_plan():
    items = [item(0, "refused", code="FORBIDDEN")]
    canned = await rare(run(*items), *items)
    anew = plan(1, id="p2", reason="Bad deploy")
    canned.plan(anew)
    canned.answers["POST", "/v1/runs/r0123456789abcdef/retry"] = anew
    async with open_canned(canned) as operator:
        await watching(operator, "r0123456789abcdef")
        await operator.press("t")
        await operator.on(ReviewScreen)
        await operator.sees("1 in the plan, 1 will be cancelled")
        assert operator.app.screen.form.reason.value == "Bad deploy"


async def test_a_service_that_is_gone_is_said_and_the_run_is_found_again():
    items = [item(0), item(1, "planned")]
    of = run(*items)
    canned = await rare(of, *items)
    async with open_canned(canned) as operator:
        await watching(operator, of.id)
        await operator.sees("1 left")
        answers = dict(canned.answers)
        gone = CannotConnect("nobody answers")
        canned.answers.update(dict.fromkeys(answers, gone))
        await operator.sees("Nobody answers", "Trying again in")
        canned.answers.update(answers)
        finished = [item(0), item(1)]
        canned.run(run(*finished), *finished)
        await operator.press("r")
        await operator.sees("0 left", "finished")
        await operator.until(lambda: "Trying again" not in operator.text)


async def test_a_long_run_rings_and_names_the_window(monkeypatch):
    rung, named = [], []
    monkeypatch.setattr("tui_app.tui.screens.run.name_window", lambda app, name: named.append(name))
    items = [item(0, "planned")]
    canned = await rare(run(*items), *items)
    async with open_canned(canned) as operator:
        monkeypatch.setattr(operator.app, "bell", lambda: rung.append(1))
        await watching(operator, "r0123456789abcdef")
        canned.run(run(item(0)), item(0))
        await operator.sees("finished")
        assert rung == [1]
        assert named == ["quash: run r0123456 finished"]
