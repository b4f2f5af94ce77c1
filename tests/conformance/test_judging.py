"""What every system promises, whatever it is and wherever it runs: what it judges, and what it calls things."""

import pytest

from support.benches import Given, State
from support.scenes import another_id, everything
from tui_app.domain.describe import Verb
from tui_app.domain.errors import MalformedId, NotFound
from tui_app.domain.verdict import VerdictCode


async def test_a_survey_keeps_the_order_and_knows_what_is_missing(scene, system):
    items = list(await everything(system))
    gone = another_id(items[0].id)
    asked = [items[3].id, gone, items[1].id, items[3].id]
    seen = await system.survey(asked)
    assert [one.id for one in seen] == asked
    assert seen[1].verdict.code is VerdictCode.NOT_FOUND
    assert seen[0] == seen[3]
    assert await system.survey([]) == []


async def test_page_survey_and_preview_judge_alike(scene, system):
    items = await everything(system)
    for item, seen in zip(items, await system.survey([item.id for item in items]), strict=True):
        preview = await system.preview(item.id)
        assert (seen.status, seen.version, seen.verdict) == (item.status, item.version, item.verdict)
        assert (preview.verdict, preview.effects) == (item.verdict, seen.effects)
        assert bool(seen.effects) is seen.verdict.cancellable
        assert {effect.code for effect in seen.effects} <= set(system.description.effects)


async def test_each_state_has_its_verdict(bench, system):
    ids = dict(zip(State, await bench.add([Given(state) for state in State]), strict=True))
    seen = {state: (await system.survey([item_id]))[0].verdict for state, item_id in ids.items()}
    assert seen[State.WAITING].cancellable
    assert {state: verdict.code for state, verdict in seen.items() if not verdict.cancellable} == bench.codes
    assert seen[State.CANCELLED].code is VerdictCode.ALREADY_CANCELLED
    for state in bench.codes:
        assert seen[state].reason


async def test_what_is_not_there_is_said_to_be_missing(bench, system):
    [item_id] = await bench.add([Given()])
    gone = another_id(item_id)
    for look in (system.item, system.preview):
        with pytest.raises(NotFound):
            await look(gone)
    if "audits" not in bench.lacks:
        assert await system.trail(gone) == []


async def test_ids_have_one_spelling(bench, system):
    [item_id] = await bench.add([Given()])
    assert system.check_id(item_id) == item_id
    for text in bench.malformed:
        with pytest.raises(MalformedId):
            system.check_id(text)


async def test_identity_is_of_the_system_and_not_of_the_connection(bench, system):
    assert await system.identity() == await bench.open().identity()
    assert await system.identity()


async def test_what_is_urgent_is_sent_first_and_nothing_is_lost(bench, system):
    ids = await bench.add([Given(minute=n * 7 % 12) for n in range(12)])
    [done] = await bench.add([Given(State.DONE)])
    asked = [another_id(ids[0]), done, *reversed(ids)]
    arranged = await system.arrange(asked)
    assert sorted(arranged) == sorted(asked)
    dues = {seen.id: seen.due for seen in await system.survey(asked)}
    if system.description.deadline is None:
        assert arranged == asked
        assert set(dues.values()) == {None}
    else:
        waiting = [dues[item_id] for item_id in arranged if item_id in ids]
        assert None not in waiting
        assert waiting == sorted(waiting)
        assert len(set(waiting)) > 1
        assert asked[0] not in arranged[: len(ids)]
        items = {item.id: item for item in await everything(system)}
        assert [items[item_id].fields[system.description.deadline] for item_id in ids] == [dues[one] for one in ids]
        assert dues[done] is None
    assert await system.arrange([]) == []


async def test_what_is_due_is_no_part_of_what_drifts(scene, system):
    for seen in await system.survey([item.id for item in await everything(system)]):
        assert seen.due is None or seen.due not in seen.fingerprint
        assert seen.due is None or seen.verdict.cancellable


async def test_a_survey_judges_for_cancelling_unless_it_is_told_otherwise(scene, system):
    assert Verb.CANCEL in system.description.verbs
    ids = [item.id for item in await everything(system)]
    assert await system.survey(ids) == await system.survey(ids, Verb.CANCEL)
