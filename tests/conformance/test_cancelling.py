"""What every system promises, whatever it is and wherever it runs: cancelling once, under a guard, and proving it."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from support.benches import Given, State
from support.orders import REASON, carried_out, errand, key_of, orders, settled
from support.scenes import another_id
from tui_app.domain.errors import NotFound
from tui_app.domain.filters import Filter, Op, Term
from tui_app.domain.items import PageQuery, Sort
from tui_app.domain.plan import Options
from tui_app.domain.ports import System
from tui_app.domain.run import ItemState, SkipCode, Verified
from tui_app.domain.verdict import VerdictCode


async def test_a_chunk_is_cancelled_each_once(bench, system):
    ids = await bench.add([Given(minute=n) for n in range(12)])
    chunk = await orders(system, ids)
    answers = await carried_out(bench, system, chunk)
    assert [answer.state for answer in answers] == [ItemState.CANCELLED] * 12
    for item_id in ids:
        assert await bench.cancelled(item_id)
        [effect] = await bench.effects(item_id)
        assert effect["operator"] == "jane@example.com"
        if "reasons" not in bench.lacks:
            assert effect["reason"] == REASON
            assert effect["run_id"] == (None if "runs" in bench.lacks else "run-1")
        assert effect["idempotency_key"] == (None if "keys" in bench.lacks else key_of("run-1", item_id))
        assert [bench.reasons(notice) for notice in await bench.notices(item_id)] == [{REASON}] * bench.notifies
    assert await system.execute([], errand()) == []


async def test_executing_again_changes_nothing_and_finds_it_ours(bench, system):
    ids = await bench.add([Given(), Given()])
    chunk = await orders(system, ids)
    await carried_out(bench, system, chunk)
    for again in (system.execute, system.reconcile):
        answers = await again(chunk, errand())
        # Where no reasons are kept, nobody can tell whose it was, and nobody claims to.
        known = (ItemState.ALREADY_CANCELLED, None) if "reasons" in bench.lacks else (ItemState.CANCELLED, True)
        assert [(answer.state, answer.ours) for answer in answers] == [known] * 2
    for item_id in ids:
        assert len(await bench.effects(item_id)) == 1
        assert len(await bench.notices(item_id)) == bench.notifies


async def test_reconciling_what_was_never_sent_sends_it(bench, system):
    [item_id] = await bench.add([Given()])
    chunk = await orders(system, [item_id])
    [answer] = await settled(bench, system, chunk, await system.reconcile(chunk, errand()), errand())
    assert answer.state is ItemState.CANCELLED
    assert len(await bench.effects(item_id)) == 1


async def test_what_is_only_looked_at_is_never_sent(bench, system):
    """What a stopped run has sent is found, and what it has not sent is not sent any more."""
    done, still, drifted = await bench.add([Given(), Given(), Given()])
    chunk = await orders(system, [done, still, drifted])
    await carried_out(bench, system, chunk[:1])
    await bench.touch(drifted)
    looking = errand(only_look=True)
    for _ in range(2):
        first, *rest = await settled(bench, system, chunk, await system.reconcile(chunk, looking), looking)
        assert first.state is (ItemState.ALREADY_CANCELLED if "reasons" in bench.lacks else ItemState.CANCELLED)
        stopped = (ItemState.SKIPPED, SkipCode.STOPPED)
        for answer in rest:
            assert (
                answer.state is ItemState.UNKNOWN if "locks" in bench.lacks else (answer.state, answer.code) == stopped
            )
            assert answer.message
    assert len(await bench.effects(done)) == 1
    for item_id in (still, drifted):
        assert not await bench.cancelled(item_id)
        assert await bench.effects(item_id) == []
        assert await bench.notices(item_id) == []
    assert await system.reconcile([], looking) == []


async def test_an_id_given_twice_has_one_effect(bench, system):
    [item_id] = await bench.add([Given()])
    [order] = await orders(system, [item_id])
    answers = await carried_out(bench, system, [order, order])
    assert [answer.state for answer in answers] == [ItemState.CANCELLED] * 2
    assert len(await bench.effects(item_id)) == 1
    assert len(await bench.notices(item_id)) == bench.notifies


async def test_the_guard_holds_against_whatever_happened_meanwhile(bench, system):
    still, drifted, busy, done, blocked, cancelled, missing = await bench.add([Given() for _ in range(7)])
    chunk = await orders(system, [still, drifted, busy, done, blocked, cancelled, missing])
    gone = another_id(missing)
    chunk[-1] = replace(chunk[-1], id=gone)
    if "versions" not in bench.lacks:
        await bench.touch(drifted)
    await bench.bring(busy, State.BUSY)
    await bench.bring(done, State.DONE)
    await bench.bring(blocked, State.BLOCKED)
    await bench.bring(cancelled, State.CANCELLED)
    answers = dict(zip([order.id for order in chunk], await carried_out(bench, system, chunk), strict=True))

    assert answers[still].state is ItemState.CANCELLED
    if "versions" in bench.lacks:
        assert answers[drifted].state is ItemState.CANCELLED
    else:
        assert (answers[drifted].state, answers[drifted].code) == (ItemState.SKIPPED, SkipCode.DRIFTED)
        assert answers[drifted].message
        assert await bench.effects(drifted) == []
    assert answers[busy].state is answers[done].state is answers[blocked].state is ItemState.REFUSED
    refused = {State.BUSY: busy, State.DONE: done, State.BLOCKED: blocked}
    assert {state: answers[item_id].code for state, item_id in refused.items()} == {
        state: bench.codes[state] for state in refused
    }
    assert answers[cancelled].state is ItemState.ALREADY_CANCELLED
    assert answers[cancelled].ours is not True
    assert (answers[gone].state, answers[gone].code) == (ItemState.REFUSED, VerdictCode.NOT_FOUND)
    # what was refused says why, and nothing but the first was touched
    assert all(answers[item_id].message for item_id in (busy, done, blocked, gone))
    assert len(await bench.effects(still)) == 1
    for item_id in (busy, done, blocked, cancelled, missing):
        assert await bench.effects(item_id) == []
        assert await bench.notices(item_id) == []


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_only_what_is_as_it_was_seen_is_cancelled(bench, system, data):
    """Whatever happens to each item between plan and run, the statuses tell who was cancelled, and each once."""
    happened = data.draw(st.lists(st.sampled_from([None, "touch", *State]), min_size=1, max_size=12))
    assume(any(one is not None for one in happened))
    ids = await bench.add([Given() for _ in happened])
    chunk = await orders(system, ids)
    for item_id, one in zip(ids, happened, strict=True):
        if one == "touch":
            await bench.touch(item_id)
        elif isinstance(one, State):
            await bench.bring(item_id, one)
    # A system without versions guards by status alone.
    same = (None, "touch", State.WAITING) if "versions" in bench.lacks else (None,)
    answers = await carried_out(bench, system, chunk)
    for item_id, one, answer in zip(ids, happened, answers, strict=True):
        ours = answer.state is ItemState.CANCELLED
        assert ours is (one in same)
        assert len(await bench.effects(item_id)) == int(ours)
        assert len(await bench.notices(item_id)) == int(ours and bench.notifies)
        assert await bench.cancelled(item_id) is (ours or one is State.CANCELLED)


async def test_two_operators_over_the_same_ids(bench):
    ids = await bench.add([Given(minute=n) for n in range(40)])
    first, second = bench.open(), bench.open()
    names = ("jane@example.com", "ops2@example.com")
    chunks = [await orders(first, ids, "run-1"), await orders(second, list(reversed(ids)), "run-2")]
    told = await asyncio.gather(
        *(
            carried_out(bench, system, part, errand(f"run-{n}", operator=names[n - 1]))
            for n, (system, chunk) in enumerate(((first, chunks[0]), (second, chunks[1])), start=1)
            for part in (chunk[:13], chunk[13:26], chunk[26:])
        )
    )
    answers = [answer for part in told for answer in part]
    assert Counter(answer.state for answer in answers) == {
        ItemState.CANCELLED: 40,
        ItemState.ALREADY_CANCELLED: 40,
    }
    late = [answer for answer in answers if answer.state is ItemState.ALREADY_CANCELLED]
    assert {answer.ours for answer in late} == {None if "reasons" in bench.lacks else False}
    assert {answer.by for answer in late} <= {*names, *([None] * ("audits" in bench.lacks))}
    for item_id in ids:
        assert len(await bench.effects(item_id)) == 1
        assert len(await bench.notices(item_id)) == bench.notifies


async def test_verification_reads_what_the_system_says(bench, system):
    good, revived, doubled, never = await bench.add([Given() for _ in range(4)])
    chunk = await orders(system, [good, revived, doubled, never])
    await carried_out(bench, system, chunk[:3])
    await bench.bring(revived, State.DONE)
    await bench.cancel_foreign(doubled, "somebody else")
    found = dict(zip([order.id for order in chunk], await system.verify(chunk, errand()), strict=True))
    if "audits" in bench.lacks:
        # The status bears out what was answered; that nothing tells of more cancellations is in the note.
        assert found[good].verified is found[doubled].verified is Verified.YES
        assert found[good].note
        assert [found[item_id].verified for item_id in (revived, never)] == [Verified.CONTRADICTED] * 2
        return
    assert found[good].verified is Verified.YES
    for item_id in (revived, doubled, never):
        assert found[item_id].verified is Verified.CONTRADICTED
        assert found[item_id].note
    assert "somebody else" in (found[doubled].note or "")
    assert await system.verify([], errand()) == []


async def test_the_trail_tells_who_and_why(bench, system):
    [item_id] = await bench.add([Given()])
    await carried_out(bench, system, await orders(system, [item_id]))
    if "audits" in bench.lacks:
        # No entries would be something that is known.
        with pytest.raises(NotFound):
            await system.trail(item_id)
        return
    trail = await system.trail(item_id)
    assert trail[-1].actor == "jane@example.com"
    assert trail[-1].details[bench.reason_field] == REASON
    assert trail[-1].at.endswith("Z")
    assert [entry.at for entry in trail] == sorted(entry.at for entry in trail)


HOSTILE = (
    "[@click=app.quit]x[/]",
    "a[/]b",
    "\x1b[31mred\x1b[0m\x1b[2J\x9b1m",
    "receipt-\u202egpj.exe",
    "\x1b]52;c;cXVhc2g=\x07",
    "'; DROP TABLE command; --",
    "支払い — naïve 🚚",
    "line\r\nline\ttab",
    "\\ \" ' % _ {0} {where} $1 %s ?",
    "x" * 4_000,
)


async def test_an_endless_text_does_not_fill_a_page(bench, system):
    text = "payment gateway refused the request; " * 3_000
    [item_id] = await bench.add([Given(text=text)])
    [item] = (await system.page(PageQuery(Filter(), Sort("id")))).items
    if "texts" in bench.lacks:
        assert len(item.fields[bench.text_field]) <= 10_000
        return
    shown = item.fields[bench.text_field]
    assert text.startswith(shown)
    assert 500 <= len(shown) <= 10_000
    preview = await system.preview(item_id)
    assert any("cut" in line for section in preview.sections for line in section.lines)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_texts_come_back_as_they_are(bench, system: System, text):
    [item_id] = await bench.add([Given(text=text, kind=text[:100])])
    item = await system.item(item_id)
    told = "" if "texts" in bench.lacks else text
    assert item.fields[bench.kind_field] == text[:100]
    assert "texts" in bench.lacks or item.fields[bench.text_field] == told
    terms = [Term(bench.kind_field, Op.ANY, (text[:100],))]
    if "" not in system.description.untold:
        terms.append(Term("", Op.TEXT, (text[: len(told) or 100][:1000],)))
    page = await system.page(PageQuery(Filter(tuple(terms)), Sort("id")))
    assert [one.id for one in page.items] == [item_id]
    preview = await system.preview(item_id)
    shown = "\n".join(line for section in preview.sections for line in section.lines)
    assert all(line in shown for line in told.splitlines())
    reason = text[:400]
    if "controls" in bench.lacks:
        # An API may refuse what quash itself lets nobody write.
        reason = "".join(one for one in reason if one.isprintable()).strip()
    chunk = await orders(system, [item_id])
    [answer] = await carried_out(bench, system, chunk, errand(operator=text[:200], reason=reason))
    assert answer.state is ItemState.CANCELLED
    [effect] = await bench.effects(item_id)
    if "reasons" not in bench.lacks:
        assert effect["reason"] == reason
    assert effect["operator"] == ("jane@example.com" if "operators" in bench.lacks else text[:200])
    assert [bench.reasons(notice) for notice in await bench.notices(item_id)] == [{reason}] * bench.notifies
    if "audits" not in bench.lacks:
        assert (await system.trail(item_id))[-1].details[bench.reason_field] == reason


async def test_nobody_is_notified_where_the_operator_said_so(bench, system):
    """What the description says is a notification does not happen; whatever else is told is told all the same."""
    [item_id] = await bench.add([Given()])
    chunk = await orders(system, [item_id])
    words = system.description.effects
    optional = any(words[effect.code].notifies for effect in chunk[0].seen.effects)
    quietly = errand(options=Options(notify_stakeholders=False))
    [answer] = await carried_out(bench, system, chunk, quietly)
    assert answer.state is ItemState.CANCELLED
    assert len(await bench.notices(item_id)) == (bench.notifies and not optional)
    assert bool(system.description.notice) is optional
