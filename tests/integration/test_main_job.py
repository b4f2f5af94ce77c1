"""The job that quash is for, with real processes on a database that the public library made.

2,000 commands in 20 batches, several reply queues of which one does not exist, and everything in troubleshooting. What
happened is read from the bus' own tables and through the library's own eyes.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from psycopg.conninfo import conninfo_to_dict

from support.command_bus import Bus
from support.postgres_records import PostgresRecords

BATCHES, IN_BATCH = 20, 100
ITEMS = BATCHES * IN_BATCH
QUEUES = ("payments__replies", "Orders-Replies", None, "gone__replies")
"""Every fourth command has each: an ordinary queue, an awkward name, no reply wanted, and one that does not exist."""
LOST = ITEMS // 4
REASON = "bad deploy [@click=app.quit]x[/] \u202e"
FILTER = "status:IN_TROUBLESHOOTING_QUEUE"


@dataclass
class Operator:
    """Somebody with a profile of their own, and so a journal of their own, on the same bus."""

    name: str
    config: Path
    data: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environment = {
            **os.environ,
            "QUASH_CONFIG": str(self.config),
            "QUASH_DATA": str(self.data),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }

    async def quash(self, *words: object) -> tuple[int, Any, str]:
        """Exit code, the JSON printed, and what was said beside it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tui_app",
            *(str(word) for word in words),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, _last_json(out), err.decode()

    async def cancel_all(self, items: int, *more: str) -> tuple[int, Any, str]:
        guards = ("--reason", REASON, "--yes", "--expect-count", items, "--output", "json")
        return await self.quash("cancel", "commands", "--filter", FILTER, *guards, *more)

    def journal(self) -> Path:
        (found,) = self.data.rglob("journal.db")
        return found


@pytest.fixture
def operator(tmp_path: Path, bus: Bus) -> Callable[[str], Operator]:
    def make(name: str) -> Operator:
        config = tmp_path / f"{name}.toml"
        url = json.dumps(uri(bus.url))
        config.write_text(
            f'default_profile = "bus"\n[profiles.bus]\nenvironment = "staging"\noperator = "{name}@example.com"\n'
            f"[profiles.bus.commands]\nurl = {url}\n",
            encoding="utf-8",
        )
        config.chmod(0o600)
        return Operator(name, config, tmp_path / name)

    return make


@pytest.fixture
async def batches(bus: Bus) -> list[UUID]:
    await bus.queues("payments__replies", "Orders-Replies")
    made = []
    for _ in range(BATCHES):
        batch, ids = await bus.send_batch("payments", QUEUES * (IN_BATCH // len(QUEUES)))
        await bus.fail_all(ids)
        made.append(batch)
    return made


def check_replies(records: PostgresRecords, expected: int) -> None:
    """One reply for each cancelled command that has a reply queue, with the reason in every key that holds it."""
    cancels, wanted, replies = records.cancels(), records.reply_queues(), records.replies()
    assert len(cancels) == expected
    assert set(cancels.values()) == {1}
    assert {item: len(sent) for item, sent in replies.items()} == {item: 1 for item in cancels if wanted[item]}
    for item, (reply,) in replies.items():
        assert f"{reply['domain']}/{reply['command_id']}" == item
        assert reply["outcome"] == "CANCELED"
        assert {reply["reason"], reply["error_message"], reply["error"]["message"]} == {REASON}


async def test_everything_in_troubleshooting_in_one_command(
    bus: Bus, batches: list[UUID], operator: Callable[[str], Operator]
) -> None:
    jane = operator("jane")
    code, printed, said = await jane.cancel_all(ITEMS)
    assert code == 1, said
    assert printed["run"]["counts"] == {
        "cancelled": ITEMS - LOST,
        "already_cancelled": 0,
        "refused": 0,
        "skipped": LOST,
        "unknown": 0,
        "pending": 0,
    }
    assert printed["run"]["verified"] == {
        "yes": ITEMS - LOST,
        "contradicted": 0,
        "undone": 0,
        "not_known": 0,
        "pending": 0,
    }
    records = PostgresRecords(bus.url)
    check_replies(records, ITEMS - LOST)
    assert Counter(records.statuses().values()) == {"CANCELED": ITEMS - LOST, "IN_TROUBLESHOOTING_QUEUE": LOST}
    for batch in batches:
        row = await bus.batch("payments", batch)
        assert (row["canceled_count"], row["in_troubleshooting_count"]) == (IN_BATCH * 3 // 4, IN_BATCH // 4)
    cancelled = next(iter(records.cancels())).split("/")[1]
    events = await bus.audit.get_events(UUID(cancelled), "payments")
    assert [event.details["reason"] for event in events if event.event_type == "OPERATOR_CANCEL"] == [REASON]
    assert [event.details["operator"] for event in events if event.event_type == "OPERATOR_CANCEL"] == [
        "jane@example.com"
    ]
    assert (await jane.quash("ledger", "verify"))[0] == 0


async def test_two_operators_at_once_with_plans_over_the_same_commands(
    bus: Bus, batches: list[UUID], operator: Callable[[str], Operator]
) -> None:
    jane, joe = operator("jane"), operator("joe")
    plans = []
    for each in (jane, joe):
        code, printed, said = await each.quash("plan", "commands", "--filter", FILTER, "--output", "json")
        assert code == 0, said
        plans.append(printed["plan"]["id"])
    guards = ("--reason", REASON, "--yes", "--expect-count", ITEMS, "--accept-drift", "--output", "json")
    answers = await asyncio.gather(
        *(each.quash("apply", plan, *guards) for each, plan in zip((jane, joe), plans, strict=True))
    )
    counts = [printed["run"]["counts"] for _, printed, _ in answers]
    assert sum(one["cancelled"] for one in counts) == ITEMS - LOST
    assert all(one["cancelled"] + one["already_cancelled"] + one["skipped"] == ITEMS for one in counts)
    assert all(one["unknown"] == one["refused"] == 0 for one in counts)
    check_replies(PostgresRecords(bus.url), ITEMS - LOST)
    for each in (jane, joe):
        assert (await each.quash("ledger", "verify"))[0] == 0


async def test_the_runner_is_killed_in_the_middle_and_the_run_is_resumed(
    bus: Bus, batches: list[UUID], operator: Callable[[str], Operator]
) -> None:
    jane = operator("jane")
    records = PostgresRecords(bus.url)
    # The rows of one chunk in the middle are held, so that the runner is surely at work on it when it is killed.
    code, planned, said = await jane.quash("plan", "commands", "--filter", FILTER, "--output", "json")
    assert code == 0, said
    with sqlite3.connect(jane.journal()) as journal:
        ((held,),) = journal.execute("SELECT item FROM plan_item WHERE position >= 700 AND code IS NULL LIMIT 1")
    async with bus.holding(UUID(held.split("/")[1])):
        guards = ("--reason", REASON, "--yes", "--expect-count", ITEMS, "--output", "json")
        code, printed, said = await jane.quash("apply", planned["plan"]["id"], *guards, "--detach")
        assert code == 0, said
        run = printed["run"]["id"]
        await bus.until_blocked(1)
        os.kill(runner_of(jane), signal.SIGKILL)
    assert 0 < len(records.cancels()) < ITEMS - LOST
    code, printed, said = await jane.quash("runs", "resume", run, "--output", "json")
    assert code == 1, said
    assert printed["run"]["counts"]["cancelled"] == ITEMS - LOST
    assert printed["run"]["counts"]["unknown"] == printed["run"]["counts"]["pending"] == 0
    assert printed["run"]["verified"]["yes"] == ITEMS - LOST
    check_replies(records, ITEMS - LOST)
    assert (await jane.quash("ledger", "verify"))[0] == 0


def _last_json(out: bytes) -> Any:
    return json.loads(out) if out.startswith(b"{") else out.decode()


def uri(conninfo: str) -> str:
    """A profile names a database by its URL."""
    parts = conninfo_to_dict(conninfo)
    user = parts["user"] + (f":{quote(str(parts['password']))}" if "password" in parts else "")
    return f"postgresql://{user}@{parts.get('host', '')}:{parts.get('port', 5432)}/{parts['dbname']}"


def runner_of(operator: Operator) -> int:
    """The process that holds a chunk, by the name it claimed it with."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with sqlite3.connect(operator.journal()) as journal:
            rows = journal.execute("SELECT worker FROM chunk WHERE state = 'claimed'").fetchall()
        if rows:
            return int(rows[0][0].rsplit(":", 1)[1].partition("/")[0])
    raise AssertionError("no runner took a chunk")
