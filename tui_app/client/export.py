"""Reports and exports as new files, read through the client page by page, so that size costs no memory."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tui_app.client.backend import BackendClient
from tui_app.client.ledger_text import verdict
from tui_app.config.places import expanded, owner_to_keep
from tui_app.contract.ledger import LedgerCheck
from tui_app.domain.errors import QuashError, StorageFull, UsageProblem
from tui_app.domain.prefetch import prefetched
from tui_app.domain.report import Foot, Format, ledger_export, run_report

PAGE = 500


class NewFile:
    """A file that did not exist, for its owner only, gone again when it could not be written to the end.

    Raises:
        UsageProblem: it exists, is a link, or its folder cannot be written to.
        StorageFull: the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> NewFile:
        # In a shared folder, whoever puts a link there first would otherwise choose what is overwritten.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            owner = owner_to_keep(self._path.parent)
            descriptor = os.open(self._path, flags, 0o600)
            if owner is not None:
                os.fchown(descriptor, owner, -1)
            self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise _told(self._path, error) from error
        return self

    def write(self, text: str) -> None:
        """Add to the file."""
        try:
            self._file.write(text)
        except OSError as error:
            raise _told(self._path, error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failed:
            self._path.unlink(missing_ok=True)
            raise _told(self._path, failed) from failed
        if kind is not None:
            self._path.unlink(missing_ok=True)


def _told(path: Path, error: OSError) -> QuashError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            f"{path} could not be written: the disk is full",
            hint="Free some space, or choose another folder.",
        )
    if error.errno == errno.EEXIST:
        return UsageProblem(f"{path} is there already", hint="It was left as it is; choose another name.")
    return UsageProblem(f"{path} cannot be written: {error.strerror}", hint="Choose another folder.")


def place(name: str) -> Path:
    """The full path of a name that somebody typed; ``~`` is their home."""
    return expanded(name).absolute()


async def export_run(client: BackendClient, run_id: str, path: Path, check: LedgerCheck | None = None) -> Path:
    """Write the report of a run; the ending of the path decides how.

    Raises:
        UsageProblem, StorageFull: the file could not be made.
    """
    return await _save(path, run_pieces(client, run_id, Format.of(path.name), check))


async def run_pieces(
    client: BackendClient, run_id: str, form: Format, check: LedgerCheck | None = None
) -> AsyncIterator[str]:
    """The report of a run, in pieces. The journal is verified first, unless it was just now, and the foot says how.

    A journal that does not verify is reported too, since it is evidence.
    """
    run = await client.runs.get(run_id)
    check = check or await client.ledger.check()
    report = run_report(form, run.model_dump(mode="json"), run.standing)
    yield report.head()
    async for row in _run_rows(client, run_id):
        yield report.row(row)
    yield report.foot(_foot(check, run.head or check.head))


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which lines of the ledger, by exact values."""

    run: str | None = None
    operator: str | None = None
    item: str | None = None
    event: str | None = None


async def export_ledger(
    client: BackendClient, path: Path, wanted: LedgerFilter, check: LedgerCheck | None = None
) -> Path:
    """Write the lines of the ledger that match, oldest first; the ending of the path decides how.

    Raises:
        UsageProblem, StorageFull: the file could not be made.
    """
    return await _save(path, ledger_pieces(client, wanted, Format.of(path.name), check))


async def ledger_pieces(
    client: BackendClient, wanted: LedgerFilter, form: Format, check: LedgerCheck | None = None
) -> AsyncIterator[str]:
    """An export of the ledger, in pieces. It is verified first, unless it was just now, and the foot says how.

    A ledger that does not verify is exported too, since it is evidence.
    """
    check = check or await client.ledger.check()
    report = ledger_export(form, {name: value for name, value in asdict(wanted).items() if value})
    rows = await prefetched(ledger_rows(client, wanted))
    yield report.head()
    async for row in rows:
        yield report.row(row)
    yield report.foot(_foot(check, check.head))


def _foot(check: LedgerCheck, head: str | None) -> Foot:
    return Foot(verdict(check), check.holds, head, check.anchors)


async def _save(path: Path, pieces: AsyncIterator[str]) -> Path:
    with NewFile(path) as file:
        async for piece in pieces:
            file.write(piece)
    return path


async def _run_rows(client: BackendClient, run_id: str) -> AsyncIterator[dict[str, Any]]:
    after: int | None = None
    while True:
        page = await client.runs.items(run_id, after=after, limit=PAGE)
        for item in page.items:
            yield item.model_dump(mode="json")
        if page.next is None:
            return
        after = page.next


async def ledger_rows(client: BackendClient, wanted: LedgerFilter) -> AsyncIterator[dict[str, Any]]:
    """The lines of the ledger that match, oldest first."""
    after: str | None = None
    while True:
        page = await client.ledger.page(**asdict(wanted), after=after, limit=PAGE)
        for line in page.lines:
            yield line.model_dump(mode="json")
        if page.next is None:
            return
        after = page.next
