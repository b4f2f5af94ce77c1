"""A disk that is full: what is there can be read and verified, and what would write says so."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command_line import TROUBLED, Bus, Quash
from tui_app.cli.exits import Exit
from tui_app.database import sqlite


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def full(quash: Quash, bus: Bus, disk: Path) -> tuple[Path, str]:
    """The state folder of a run, on a disk without a free byte, and the run."""
    words = ("--reason", "duplicate request", "--yes", "--expect-count", 2, "--output", "json")
    run = quash("cancel", "commands", *bus.in_status(TROUBLED)[:2], *words).json["run"]["id"]
    shutil.copytree(bus.data, disk / "state")
    fill(disk)
    return disk / "state", run


def fill(disk: Path) -> None:
    with (disk / "filling").open("wb", buffering=0) as filling:
        for size in (65536, 1024, 1):
            try:
                while True:
                    filling.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    found = os.statvfs(disk)
    assert found.f_bavail == 0


READS = (["runs"], ["runs", "RUN"], ["plans"], ["ledger"], ["ledger", "verify"], ["list", "commands"])


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_what_only_reads_works_on_a_full_disk(quash: Quash, full: tuple[Path, str], words: list[str]) -> None:
    state, run = full
    asked = [run if word == "RUN" else word for word in words]
    found = quash(*asked, "--data", state, "--output", "json")
    assert (found.code, found.err) == (Exit.DONE, "")
    assert words[0] == "list" or words == ["ledger", "verify"] or run in found.out
    if words == ["ledger", "verify"]:
        assert found.json["ledger"]["holds"] is True


def test_what_writes_says_that_the_disk_is_full(quash: Quash, bus: Bus, full: tuple[Path, str]) -> None:
    state, _ = full
    found = quash("plan", "commands", bus.in_status(TROUBLED)[0], "--data", state, "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "STORAGE_FULL")
    (state.parent / "filling").unlink()
    assert quash("plan", "commands", bus.in_status(TROUBLED)[0], "--data", state).code == Exit.DONE


async def test_a_file_is_read_as_ever_once_there_is_room_again(full: tuple[Path, str]) -> None:
    state, _ = full
    path = state / "profiles" / "local" / "journal.db"
    file = sqlite.SqliteFile(path, lambda _: None)

    def runs(connection: object) -> int:
        return int(connection.execute("SELECT count(*) FROM run").fetchone()[0])  # type: ignore[attr-defined]

    try:
        assert await file.read(runs) == 1
        (state.parent / "filling").unlink()
        assert await file.read(runs) == 1
        await file.write(lambda connection: connection.execute("CREATE TABLE more (one TEXT)"))
    finally:
        await file.close()


def test_a_full_disk_with_an_empty_state_is_told(quash: Quash, disk: Path) -> None:
    fill(disk)
    found = quash("runs", "--data", disk / "state", "--output", "json")
    assert found.code == Exit.NO_ACCESS
