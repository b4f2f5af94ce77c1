"""From ids to orders, as a run makes them: survey, key, order."""

from collections.abc import Iterable
from uuid import UUID

from tui_app.domain.describe import Verb
from tui_app.domain.plan import Options
from tui_app.domain.ports import System
from tui_app.domain.run import Answer, Errand, Order, item_key

REASON = "caused by a faulty deploy"


def errand(run_id: str = "run-1", *, operator: str = "jane@example.com", reason: str = REASON) -> Errand:
    return Errand(run_id, 0, Verb.CANCEL, operator, reason, Options())


def key_of(run_id: str, item_id: str) -> str:
    return item_key(b"secret of the run", run_id, "commands", item_id)


async def orders(system: System, ids: Iterable[str], run_id: str = "run-1") -> list[Order]:
    """What a run would send for these ids now."""
    return [Order(seen.id, key_of(run_id, seen.id), seen) for seen in await system.survey(list(ids))]


async def cancel(system: System, ids: Iterable[str], run_id: str = "run-1") -> list[Answer]:
    """Survey and execute at once."""
    return await system.execute(await orders(system, ids, run_id), errand(run_id))


def named(domain: str, ids: Iterable[UUID]) -> list[str]:
    """Our ids of commands of one domain."""
    return [f"{domain}/{own}" for own in ids]
