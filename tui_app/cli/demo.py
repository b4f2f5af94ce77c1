"""``demo``: made-up data in a state folder of its own, and the console on it."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from tui_app import bootstrap
from tui_app.cli.console import show
from tui_app.cli.exits import Exit
from tui_app.cli.grammar import DEMO_ROWS
from tui_app.cli.session import invocation
from tui_app.config import places
from tui_app.config.setup import Flags, Setup, find
from tui_app.domain import moments
from tui_app.domain.counting import counted
from tui_app.domain.errors import UsageProblem

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.cli.output import Talk

FOLDER = "demo"
NOTE = "demo.json"


@dataclass(frozen=True, slots=True)
class Note:
    """What a demo's folder holds: how many rows of each system, and whether they were all made."""

    rows: int
    complete: bool

    @classmethod
    def read(cls, folder: Path) -> Note | None:
        """The note of a folder; none where it is no demo's."""
        try:
            said = json.loads((folder / NOTE).read_text(encoding="ascii"))
            return cls(int(said["rows"]), bool(said["complete"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UsageProblem(f"{folder / NOTE} cannot be read", hint="Use another folder with --data.") from error

    def write(self, folder: Path) -> None:
        """Leave it, whole or not at all."""
        draft = folder / f".{NOTE}"
        draft.write_text(json.dumps({"rows": self.rows, "complete": self.complete}), encoding="ascii")
        draft.replace(folder / NOTE)


def demo(call: Call) -> int:
    """Seed what is not there yet; then open the console, unless told not to."""
    asked = call.arguments
    setup = _setup(call)
    note, new = _seeded(call, setup)
    if asked.rows is not None and asked.rows != note.rows:
        told = f"this demo has {counted(note.rows, 'row')} of each system, and keeps them"
        call.talk.say(f"{told}; --reset throws it away and makes {asked.rows:,}")
    asked.profile, asked.data, asked.no_config = setup.profile.name, str(setup.state.path), True
    words = invocation(asked, setup)
    if not asked.no_open:
        return show(setup, words)
    facts: dict[str, Any] = {
        "data": str(setup.state.path),
        "profile": setup.profile.name,
        "systems": dict.fromkeys(setup.profile.systems, note.rows),
        "new": new,
    }
    call.output.one("quash.demo.v1", {"demo": facts}, lambda: _told(words, note, new))
    return Exit.DONE


@contextmanager
def _ticking(talk: Talk) -> Iterator[Callable[[str], None]]:
    """Draws what is being done, and for how long it has been: a million rows take minutes."""
    over = Event()
    doing, since = "", monotonic()

    def begin(what: str) -> None:
        nonlocal doing, since
        doing, since = what, monotonic()
        talk.progress(f"{what} …")

    def tick() -> None:
        while not over.wait(1.0):
            talk.progress(f"{doing} … {moments.span(monotonic() - since)}")

    ticking = Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield begin
    finally:
        over.set()
        ticking.join()
        talk.end_progress()


def _told(words: list[str], note: Note, new: bool) -> Iterator[str]:
    yield f"{'made' if new else 'there are'} {counted(note.rows, 'item')} of each system"
    yield f"  look at them with: {shlex.join([*words, 'list', 'commands'])}"


def _setup(call: Call) -> Setup:
    """The profile ``local`` without a file, in the folder of the demo."""
    said = call.flags
    named = places.state_folder(said.data, os.environ)
    state = named if said.data is not None else replace(named, path=named.path / FOLDER)
    variables = {name: value for name, value in os.environ.items() if name != places.PROFILE_VARIABLE}
    flags = Flags(operator=said.operator, data=str(state.path), no_config=True)
    return replace(find(flags, variables, bootstrap.kinds()), state=state)


def _seeded(call: Call, setup: Setup) -> tuple[Note, bool]:
    """What the demo holds now, and whether anything was made.

    Raises:
        UsageProblem: the folder holds state that is no demo's.
    """
    rows, reset, folder = call.arguments.rows, call.arguments.reset, setup.rooms.folder
    note = Note.read(folder)
    if note is None and folder.exists() and any(folder.iterdir()):
        raise UsageProblem(
            f"{folder} holds state that no demo made", hint="Give the demo a folder of its own with --data DIR."
        )
    if note is not None and reset:
        bootstrap.throw_away(setup)
        rows, note = note.rows if rows is None else rows, None
    if note is not None and note.complete:
        return note, False
    wanted = note.rows if note is not None else DEMO_ROWS if rows is None else rows
    folder = setup.rooms.open().folder
    Note(wanted, complete=False).write(folder)
    with _ticking(call.talk) as begin:
        bootstrap.seed(setup, wanted, lambda name: begin(f"making {wanted:,} {name}"))
    done = Note(wanted, complete=True)
    done.write(folder)
    return done, True
