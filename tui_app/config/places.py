"""Where things are on this host: the configuration file, the state folder, and what is in it."""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from weakref import finalize

from tui_app.domain.errors import CannotConnect, UsageProblem

CONFIG_VARIABLE = "QUASH_CONFIG"
DATA_VARIABLE = "QUASH_DATA"
PROFILE_VARIABLE = "QUASH_PROFILE"
OPERATOR_VARIABLE = "QUASH_OPERATOR"

S = TypeVar("S", str, bytes)

_HOMELESS = "Set HOME, or name QUASH_DATA, and QUASH_CONFIG or --no-config."


def expanded(name: str | Path) -> Path:
    """A path as it was named, with ``~`` as the home folder.

    Raises:
        UsageProblem: it begins with ``~``, and nobody says where that is.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise UsageProblem(f"{name} cannot be found: there is no such home folder", hint=_HOMELESS) from error


def content(path: Path, most: int) -> bytes:
    """What a file holds that somebody named.

    Raises:
        UsageProblem: it holds more than ``most`` bytes, as a device does that never ends.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return held(file.read(most + 1), most, str(path))


def held(found: S, most: int, name: str) -> S:
    """What was read of something called ``name``, where it is not more than ``most``; see :func:`content`."""
    if len(found) > most:
        raise UsageProblem(f"{name} holds more than {most:,} bytes", hint="Check its name; nothing was done with it.")
    return found


def _of_user(found: Callable[[str], Path]) -> Path:
    """A folder of ours in the user's home, which has to be known.

    Raises:
        UsageProblem: it is not.
    """
    try:
        return found("quash")
    except RuntimeError as error:
        who = f"user {os.getuid()} is not in the list of users, and HOME is not set"
        raise UsageProblem(f"there is no home folder: {who}", hint=_HOMELESS) from error


def named_config(flag: str | None, environment: Mapping[str, str]) -> Path | None:
    """The configuration file that a flag names, else ``QUASH_CONFIG``; None where neither does."""
    named = flag or environment.get(CONFIG_VARIABLE)
    return expanded(named) if named else None


def config_file(flag: str | None, environment: Mapping[str, str]) -> Path:
    """The file that is named, else the one in the user's configuration folder, which may be missing.

    Raises:
        UsageProblem: a file is named, and there is none.
    """
    named = named_config(flag, environment)
    if named is not None:
        if not named.exists():
            by = "--config" if flag else CONFIG_VARIABLE
            raise UsageProblem(
                f"there is no file {named}, which {by} names",
                hint=f"Correct the name, or leave {by} out to use the default file.",
            )
        return named
    from platformdirs import user_config_path

    return _of_user(user_config_path) / "config.toml"


def state_folder(flag: str | None, environment: Mapping[str, str]) -> Path:
    """The folder that a flag names, else ``QUASH_DATA``, else the user's state folder; it may not exist."""
    named = flag or environment.get(DATA_VARIABLE)
    if named:
        return expanded(named).absolute()
    from platformdirs import user_state_path

    return _of_user(user_state_path)


def owner_to_keep(place: Path) -> int | None:
    """Whose a new file at ``place`` has to be, where root makes it among the files of somebody else.

    Returns:
        The user's number; None where the maker is not root, or the nearest folder that exists is root's.
    """
    if os.geteuid() != 0:
        return None
    nearest = next((folder for folder in (place, *place.parents) if folder.exists()), None)
    owner = nearest.stat().st_uid if nearest is not None else 0
    return owner or None


def check_owner(folder: Path) -> None:
    """Refuse a state folder of another user to root: with HOME kept, as sudo may do, that is where it would work.

    Raises:
        UsageProblem: files that root makes there lock the user out of their own state.
    """
    owner = owner_to_keep(folder)
    if owner is None:
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"user {owner}"
    raise UsageProblem(
        f"{folder} belongs to {name}, and you are root: {name} could not open what root makes there",
        hint="Run quash as that user (sudo -u USER quash ...), or name a folder of root's own with QUASH_DATA.",
    )


class Use:
    """A folder in use by this process until it is closed: others may use it, too, and nobody throws it away.

    It is a lock on the folder itself, so that nothing is written for it, and it ends with the process.
    """

    def __init__(self, folder: Path) -> None:
        while True:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            # While this waited, the folder may have been thrown away and made anew.
            if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
                break
            os.close(descriptor)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.close = finalize(self, os.close, descriptor)


@contextmanager
def unused(folder: Path) -> Iterator[bool]:
    """Keep others from beginning to use a folder, for as long as the block runs; false where somebody does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Rooms:
    """The files of one profile, in a folder that only its owner may enter."""

    folder: Path

    @classmethod
    def of(cls, state: Path, profile: str) -> Rooms:
        """Those of a profile in a state folder; nothing is created."""
        return cls(state / "profiles" / profile)

    @property
    def journal(self) -> Path:
        """Journal and ledger."""
        return self.folder / "journal.db"

    @property
    def runner_log(self) -> Path:
        """What the detached runner had to say."""
        return self.folder / "runner.log"

    @property
    def frozen(self) -> bool:
        """Whether the journal is there and cannot be written, as on a read-only medium."""
        there = os.access(self.journal, os.F_OK)
        return there and not (os.access(self.folder, os.W_OK) and os.access(self.journal, os.W_OK))

    def system(self, name: str) -> Path:
        """The file of one embedded system, as separate from the journal as the real one is."""
        return self.folder / f"{name}.db"

    def use(self) -> Use:
        """Create the folder where it is missing, and keep it from being thrown away.

        Raises:
            CannotConnect, UsageProblem: as ``open``.
        """
        return Use(self.open().folder)

    def open(self) -> Rooms:
        """Create the folder where it is missing. One that cannot be written is opened to be read, whoever owns it.

        Raises:
            CannotConnect: it cannot be created, or it is not a folder.
            UsageProblem: others may enter it, or it is another user's, root's own folders apart.
        """
        if self.frozen:
            return self
        check_owner(self.folder)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.stat()
        except OSError as error:
            raise CannotConnect(
                f"the state folder {self.folder} cannot be used: {error.strerror}",
                hint="QUASH_DATA names the state folder.",
            ) from error
        if found.st_uid != os.geteuid():
            raise UsageProblem(f"{self.folder} belongs to another user", hint="QUASH_DATA names the state folder.")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise UsageProblem(f"others may enter {self.folder}", hint=f"chmod 700 {self.folder}")
        return self
