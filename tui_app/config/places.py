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

_HOMELESS = "Set HOME, or name the state folder with --data or QUASH_DATA, and the file with --config or QUASH_CONFIG."


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody said about where to work, or as whom, and what they said it with: a flag or a variable."""

    value: str
    by: str


@dataclass(frozen=True, slots=True)
class Named:
    """A file or a folder, and the flag or the variable that names it; empty where it is the default one."""

    path: Path
    by: str = ""


def given(flag: str | None, option: str, environment: Mapping[str, str], variable: str) -> Given | None:
    """What a flag says, else a variable; none where neither does, as with a variable that is empty.

    Raises:
        UsageProblem: it is blank: whoever gave it meant something.
    """
    found = Given(flag, option) if flag is not None else Given(environment.get(variable, ""), variable)
    if found.value.strip():
        return found
    if flag is None and not found.value:
        return None
    raise UsageProblem(f"{found.by} is blank", hint=f"Give {found.by} a value, or leave it out.")


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


def named_config(flag: str | None, environment: Mapping[str, str]) -> Named | None:
    """The configuration file that a flag names, else ``QUASH_CONFIG``; None where neither does."""
    said = given(flag, "--config", environment, CONFIG_VARIABLE)
    return None if said is None else Named(expanded(said.value), said.by)


def config_file(flag: str | None, environment: Mapping[str, str]) -> Named:
    """The file that is named, else the one in the user's configuration folder, which may be missing.

    Raises:
        UsageProblem: a file is named, and there is none.
    """
    named = named_config(flag, environment)
    if named is not None:
        if not named.path.exists():
            raise UsageProblem(
                f"there is no file {named.path}, which {named.by} names",
                hint=f"Correct the name, or leave {named.by} out to use the default file.",
            )
        return named
    from platformdirs import user_config_path

    return Named(_of_user(user_config_path) / "config.toml")


def state_folder(flag: str | None, environment: Mapping[str, str]) -> Named:
    """The folder that a flag names, else ``QUASH_DATA``, else the user's state folder; it may not exist."""
    said = given(flag, "--data", environment, DATA_VARIABLE)
    if said is not None:
        return Named(expanded(said.value).absolute(), said.by)
    from platformdirs import user_state_path

    return Named(_of_user(user_state_path))


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


def check_owner(folder: Path, by: str) -> None:
    """Refuse a state folder of another user to root: with HOME kept, as sudo may do, that is where it would work.

    ``by`` is what named the folder, as in ``Named``.

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
        hint=f"Run quash as that user (sudo -u USER quash ...), or name a folder of root's own with {by or '--data'}.",
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
    """The files of one profile, in a folder that only its owner may enter.

    ``named_by`` is the flag or the variable that names the state folder; empty where it is the default one.
    """

    folder: Path
    named_by: str = ""

    @classmethod
    def of(cls, state: Named, profile: str) -> Rooms:
        """Those of a profile in a state folder; nothing is created."""
        return cls(state.path / "profiles" / profile, state.by)

    @property
    def _whence(self) -> str:
        if self.named_by:
            return f"{self.named_by} names the state folder."
        return "It is in the default state folder; name another one with --data or QUASH_DATA."

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
        check_owner(self.folder, self.named_by)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.stat()
        except OSError as error:
            raise CannotConnect(
                f"the state folder {self.folder} cannot be used: {error.strerror}",
                hint=self._whence,
            ) from error
        if found.st_uid != os.geteuid():
            raise UsageProblem(f"{self.folder} belongs to another user", hint=self._whence)
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise UsageProblem(f"others may enter {self.folder}", hint=f"chmod 700 {self.folder}")
        return self
