"""Tokens: from a command, a file or the environment, in this order; never from an argument."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from contextlib import suppress

from tui_app.config.places import expanded
from tui_app.config.regular import opened
from tui_app.config.values import Secret
from tui_app.domain.errors import NotSignedIn

SERVICE_TOKEN = "QUASH_SERVICE_TOKEN"  # noqa: S105 - the name of the variable, not what it holds

COMMAND_SECONDS = 15.0
"""How long a command may take. Less than a request may, so that whoever sent one learns what it waited for."""

LARGEST = 16 * 1024
"""Bytes of a token at most; no server takes a header that is longer."""

_COPIED = re.compile(
    rb"(?P<quote>[\"']?)(?:authorization:)?\s*(?:bearer(?:\s+|$))?(?P<inner>[\"']?)(?P<token>.*?)(?P=inner)(?P=quote)",
    re.IGNORECASE | re.DOTALL,
)
_OTHERS = 0o007
_BY_HAND = "Run it by hand: `token_command` of the profile names it."


async def token(
    command: tuple[str, ...] | None, file: str | None, variable: str, environment: Mapping[str, str]
) -> Secret:
    """The token that the first of the three gives; the next is asked only where one is not configured.

    The command is done when its process has ended, whatever it leaves running.

    Raises:
        NotSignedIn: the command fails or takes too long, the file cannot be read or is open to others, what they give
            is empty or no token, or none of the three is there.
    """
    if command is not None:
        named = f"`{command[0]}`"
        printed = await _from_command(command, named)
        return _some(printed, f"what {named} printed", f"{named} printed no token", _BY_HAND)
    if file is not None:
        # The file may be on another host, and the screen is not to wait for it.
        content = await asyncio.to_thread(_from_file, file)
        return _some(content, f"what {file} holds", f"the token file {file} is empty", "Write a token into it.")
    return _some(
        environment.get(variable, "").encode("utf-8", "surrogateescape"),
        variable,
        f"there is no token: neither token_command nor token_file, and {variable} is not set",
        f"Name one of the two in the profile, or set {variable}.",
    )


async def _from_command(command: tuple[str, ...], named: str) -> bytes:
    receiving, sending = os.pipe()
    try:
        process = await _started(command, named, sending)
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                printed = await _printed(process, receiving)
        except TimeoutError as error:
            raise NotSignedIn(f"{named} gave no token within {COMMAND_SECONDS:g} s", hint=_BY_HAND) from error
        finally:
            await _end(process)
    finally:
        os.close(receiving)
    if len(printed) > LARGEST:
        raise NotSignedIn(f"{named} printed more than the {LARGEST:,} bytes of a token", hint=_BY_HAND)
    if process.returncode != 0:
        raise NotSignedIn(f"{named} gave no token: it ended with {process.returncode}", hint=_BY_HAND)
    return printed


async def _started(command: tuple[str, ...], named: str, sending: int) -> Process:
    """The command at work in a session of its own: it asks nothing on the console's terminal, and ends as a whole."""
    try:
        return await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=sending, stderr=DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise NotSignedIn(f"{named} cannot be run: {error.strerror}", hint=_BY_HAND) from error
    finally:
        os.close(sending)


async def _printed(process: Process, receiving: int) -> bytes:
    """What a process has printed when it ends; one that prints more than a token is ended there.

    Its end is what is waited for, not that of its output: what it leaves running may hold that open.
    """
    loop, printed = asyncio.get_running_loop(), bytearray()
    os.set_blocking(receiving, False)

    def take() -> bool:
        """Take what is there; whether there may be more."""
        try:
            piece = os.read(receiving, LARGEST + 1 - len(printed))
        except BlockingIOError:
            return False
        printed.extend(piece)
        return len(piece) > 0

    def arrived() -> None:
        if not take():
            loop.remove_reader(receiving)
        if len(printed) > LARGEST:
            _kill(process)

    loop.add_reader(receiving, arrived)
    try:
        await process.wait()
    finally:
        loop.remove_reader(receiving)
    while take():
        pass
    return bytes(printed)


async def _end(process: Process) -> None:
    if process.returncode is None:
        _kill(process)
        await process.wait()


def _kill(process: Process) -> None:
    """End a process with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _from_file(name: str) -> bytes:
    try:
        with opened(expanded(name)) as (file, facts):
            if facts.st_mode & _OTHERS:
                raise NotSignedIn(
                    f"others may read or write the token file {name}, and so act as you", hint=f"chmod 600 {name}"
                )
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise NotSignedIn(
            f"the token file {name} cannot be read: {error.strerror}", hint="Check its name and its owner."
        ) from error
    if len(content) > LARGEST:
        raise NotSignedIn(
            f"the token file {name} holds more than the {LARGEST:,} bytes of a token", hint="Name another file."
        )
    return content


def _some(given: bytes, what: str, otherwise: str, hint: str) -> Secret:
    """The token of a text, without what is often copied with it: quotes, the header's name, and its scheme."""
    stripped = _COPIED.fullmatch(given.strip())["token"]  # type: ignore[index] # it matches everything
    if not stripped:
        raise NotSignedIn(otherwise, hint=hint)
    # A header carries nothing else, and what is wrong with it is not shown.
    if not stripped.isascii() or not (text := stripped.decode("ascii")).isprintable():
        raise NotSignedIn(f"{what} cannot be a token", hint="A token is one line of ASCII.")
    if any(character in text for character in " \"'"):
        raise NotSignedIn(f"{what} cannot be a token", hint="A token has no spaces and no quotes in it.")
    return Secret(text)
