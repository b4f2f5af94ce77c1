"""From ids to orders, as a run makes them: survey, key, order; and from the orders to final answers."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from support.benches import Bench
from tui_app.domain.describe import Verb
from tui_app.domain.plan import Options
from tui_app.domain.ports import Deferred, Reply, System
from tui_app.domain.run import Answer, Errand, ItemState, Order, item_key

REASON = "caused by a faulty deploy"

POLL = 1.0
"""Seconds after which a run asks again for what a system has accepted."""

PATIENCE = 10
"""How often it is asked again before a test calls it endless."""


def errand(
    run_id: str = "run-1",
    *,
    operator: str = "jane@example.com",
    reason: str = REASON,
    verb: Verb = Verb.CANCEL,
    options: Options | None = None,
    only_look: bool = False,
) -> Errand:
    return Errand(run_id, 0, verb, operator, reason, options or Options(), only_look)


def key_of(run_id: str, item_id: str) -> str:
    return item_key(b"secret of the run", run_id, "commands", item_id)


async def orders(system: System, ids: Iterable[str], run_id: str = "run-1", *, verb: Verb = Verb.CANCEL) -> list[Order]:
    """What a run would send for these ids now."""
    return [Order(seen.id, key_of(run_id, seen.id), seen) for seen in await system.survey(list(ids), verb)]


async def cancel(system: System, ids: Iterable[str], run_id: str = "run-1") -> Sequence[Reply]:
    """Survey and execute at once."""
    return await system.execute(await orders(system, ids, run_id), errand(run_id))


async def settled(
    bench: Bench, system: System, sent: Sequence[Order], told: Sequence[Reply], why: Errand
) -> list[Answer]:
    """The final answers, as a run gets them.

    What the system has deferred is handed over again, and what it has accepted is asked for until it is done with it.
    """
    final = list(told)
    while unsent := [place for place, reply in enumerate(final) if isinstance(reply, Deferred)]:
        again = await system.execute([sent[place] for place in unsent], why)
        assert not all(isinstance(reply, Deferred) for reply in again), "it does not get on"
        for place, reply in zip(unsent, again, strict=True):
            final[place] = reply
    for _ in range(PATIENCE):
        waiting = [place for place, reply in enumerate(final) if not _is_final(reply)]
        if not waiting:
            answers = [reply for reply in final if isinstance(reply, Answer)]
            assert len(answers) == len(final), final
            return answers
        bench.forward(POLL)
        again = await system.reconcile([sent[place] for place in waiting], why)
        for place, reply in zip(waiting, again, strict=True):
            final[place] = reply
    raise AssertionError(f"the system never comes to an end with {final}")


def _is_final(reply: Reply) -> bool:
    """Whether it is more than that the system works on it, or has not come to look at it."""
    return not isinstance(reply, Deferred) and not (isinstance(reply, Answer) and reply.state is ItemState.ACCEPTED)


async def carried_out(bench: Bench, system: System, sent: Sequence[Order], why: Errand | None = None) -> list[Answer]:
    """Execute, and wait for what the system only accepts: the final answers."""
    why = why or errand()
    return await settled(bench, system, sent, await system.execute(sent, why), why)


def named(domain: str, ids: Iterable[UUID]) -> list[str]:
    """Our ids of commands of one domain."""
    return [f"{domain}/{own}" for own in ids]
