"""Tokens: from a command, a file or the environment, in this order; never from an argument."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tui_app.config.values import Secret
from tui_app.domain.errors import NotSignedIn

SERVICE_TOKEN = "QUASH_SERVICE_TOKEN"  # noqa: S105 - the name of the variable, not what it holds
COMMAND_SECONDS = 30


def token(command: tuple[str, ...] | None, file: str | None, variable: str, environment: Mapping[str, str]) -> Secret:
    """The token that the first of the three gives; the next is asked only where one is not configured.

    Raises:
        NotSignedIn: the command fails, the file cannot be read, it is empty or no token, or none of the three is there.
    """
    if command is not None:
        return _some(_from_command(command), f"`{command[0]}` printed no token")
    if file is not None:
        return _some(_from_file(Path(file).expanduser()), f"{file} is empty")
    return _some(
        environment.get(variable, ""),
        f"there is no token: neither token_command nor token_file, and {variable} is not set",
    )


def _from_command(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own configuration names it, as a list, without a shell
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotSignedIn(f"`{command[0]}` gave no token within {COMMAND_SECONDS} s") from error
    except OSError as error:
        raise NotSignedIn(f"`{command[0]}` cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise NotSignedIn(f"`{command[0]}` gave no token: it ended with {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def _from_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotSignedIn(f"the token file {path} cannot be read", hint="Check its name and its owner.") from error


def _some(text: str, otherwise: str) -> Secret:
    stripped = text.strip()
    if not stripped:
        raise NotSignedIn(otherwise)
    # A header carries nothing else, and what is wrong with it is not shown.
    if not stripped.isascii() or not stripped.isprintable():
        raise NotSignedIn("the token that was given cannot be one", hint="A token is one line of ASCII.")
    return Secret(stripped)
