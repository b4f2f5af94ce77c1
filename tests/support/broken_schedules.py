"""What others have built to cancel and to publish, and what is broken in it: kept to show that the tests can fail."""

from __future__ import annotations

from typing import Any

from tui_app.database.postgres_rows import rows
from tui_app.systems.schedules.postgres_runners import PostgresStore
from tui_app.systems.schedules.postgres_write import entry, record
from tui_app.systems.schedules.runners import Job, Standing, Unclaimed


class CheckingStore(PostgresStore):
    """Broken: it looks under a lock that ends with the statement, and publishes without claiming."""

    async def claim(self, schedule_id: str) -> Job | Unclaimed:
        look = "SELECT status, attempts, channel FROM scheduler.schedule WHERE id = %(id)s FOR UPDATE"
        (row,) = await self._database.write(lambda connection: rows(connection, look, {"id": schedule_id}))
        if row["status"] != "queued":
            return Unclaimed(row["status"], Standing.OVER)
        return Job(schedule_id, row["attempts"], row["channel"], "20 % off until Sunday")

    async def succeeded(self, job: Job, at: str) -> None:
        done = "UPDATE scheduler.schedule SET status = 'success' WHERE id = %(id)s"
        await self._database.write(lambda connection: rows(connection, done, {"id": job.schedule_id}))


async def unguarded_cancel(database: Any, schedule_id: str) -> None:
    """Broken: it looks whether the schedule can be cancelled, and writes whatever has become of it since."""
    look = "SELECT status FROM scheduler.schedule WHERE id = %(id)s"
    change = "UPDATE scheduler.schedule SET status = 'cancelled' WHERE id = %(id)s"
    (row,) = await database.read(lambda connection: rows(connection, look, {"id": schedule_id}))
    if row["status"] not in ("pending", "queued"):
        return

    async def write(connection: Any) -> None:
        await rows(connection, change, {"id": schedule_id})
        await record(connection, [entry(schedule_id, "SCHEDULE_CANCELLED", {})])

    await database.write(write)
