"""Heads of the ledger outside of the journal: at the end of each run they are told to whoever keeps them."""

import logging
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.world import WHO, World, commands, fill, make_world
from tui_app.domain.errors import UsageProblem
from tui_app.domain.records import RunRecord
from tui_app.engine.heads import Heads


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = make_world(tmp_path)
    yield made
    await made.close()


@pytest.fixture
def syslog(tmp_path: Path) -> Iterator[socket.socket]:
    """A system's log that a test reads."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "log"))
        listening.settimeout(5)
        yield listening


async def run_to_end(world: World, heads: Heads, key: str = "k1") -> RunRecord:
    plan = await world.plan(commands(*fill(world.records.path, 2)))
    run = await world.confirm(plan, key=key)
    return await replace(world.worker(), heads=heads).drive(run.id)


async def test_the_head_of_a_finished_run_is_in_the_log_and_the_file(
    world: World, tmp_path: Path, syslog: socket.socket
) -> None:
    heads = Heads("local", tmp_path / "heads", tmp_path / "log")
    run = await run_to_end(world, heads)
    assert run.head is not None
    told = syslog.recv(1000).decode()
    assert told.startswith("<13>quash[")
    assert f"ledger head {run.head}, run {run.id} finished, local" in told
    assert (tmp_path / "heads").read_text() == f"{run.ended_at} {run.id} {run.head}\n"
    assert [f"{seq}:{digest}" for seq, digest in heads.anchors()] == [run.head]


async def test_the_head_of_a_stopped_run_is_kept_too(world: World, tmp_path: Path) -> None:
    world.steering._heads = Heads("local", tmp_path / "heads", None)
    run = await world.confirm(await world.plan(commands(*fill(world.records.path, 2))))
    stopped = await world.steering.stop(run.id, WHO)
    assert (tmp_path / "heads").read_text().split()[1:] == [run.id, stopped.head]


async def test_a_head_that_cannot_be_kept_is_logged_and_the_run_ends(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "quash.heads"):
        run = await run_to_end(world, Heads("local", tmp_path / "nowhere" / "heads", tmp_path))
    assert run.state == "finished"
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert run.head in caplog.text


async def test_an_older_copy_is_found_by_the_anchor_file(world: World, tmp_path: Path) -> None:
    """Also where whoever put it there went on with it, so that the last line of the file is in the ledger."""
    heads = Heads("local", tmp_path / "heads", None)
    await run_to_end(world, heads)
    (tmp_path / "older").mkdir()
    with (
        closing(sqlite3.connect(tmp_path / "journal.db")) as now,
        closing(sqlite3.connect(tmp_path / "older" / "journal.db")) as older,
    ):
        now.backup(older)
    await run_to_end(world, heads, "k2")
    assert (await world.store.ledger.check(heads.anchors())).problem is None
    put_back = make_world(tmp_path / "older")
    await run_to_end(put_back, heads, "k3")
    first, missing, last = heads.anchors()
    report = await put_back.store.ledger.check(heads.anchors())
    assert (report.anchors, report.problems) == (3, (f"the anchor {missing[0]}:{missing[1]} is not in this ledger",))
    assert (await put_back.store.ledger.check([first, last])).problem is None
    await put_back.close()


def test_a_file_that_holds_no_anchors_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "heads"
    assert Heads("local", file, None).anchors() == []
    file.write_text("2026-01-02 r1 nonsense\n")
    with pytest.raises(UsageProblem, match="'nonsense' is not an anchor"):
        Heads("local", file, None).anchors()
    file.write_bytes(b"\xff")
    with pytest.raises(UsageProblem, match="is not text"):
        Heads("local", file, None).anchors()
