"""Where a token comes from: a command that may hang, a file that others may use, or the environment."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tui_app.config import credentials
from tui_app.domain.errors import NotSignedIn


def script(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "give"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o700)
    return (os.fspath(path),)


def secret(path: Path, content: str | bytes) -> str:
    """A file that its owner alone may read."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    return os.fspath(path)


async def test_the_token_command_comes_before_the_file_and_the_file_before_the_environment(tmp_path):
    file = secret(tmp_path / "token", "from-file\n")
    variables = {"QUASH_SERVICE_TOKEN": "from-environment"}
    command = script(tmp_path, "echo from-command")
    name = credentials.SERVICE_TOKEN
    assert (await credentials.token(command, file, name, variables)).reveal() == "from-command"
    assert (await credentials.token(None, file, name, variables)).reveal() == "from-file"
    assert (await credentials.token(None, None, name, variables)).reveal() == "from-environment"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exit 3", "ended with 3"),
        ("true", "printed no token"),
        ("printf 'a\\033[2Jb'", "cannot be a token"),
        ("printf 'one\\ntwo\\n'", "cannot be a token"),
        ("printf '\\303\\244'", "cannot be a token"),
        ("while echo more; do :; done", "more than the 16,384 bytes"),
    ],
)
async def test_a_token_command_that_gives_none(tmp_path, text, message):
    with pytest.raises(NotSignedIn, match=message) as caught:
        await credentials.token(script(tmp_path, text), "unused", "UNUSED", {"UNUSED": "unused"})
    assert "give`" in caught.value.message or "by hand" in (caught.value.hint or "")


async def test_a_token_command_that_is_not_there():
    with pytest.raises(NotSignedIn, match="cannot be run"):
        await credentials.token(("/no/such/command",), None, "UNUSED", {})


class Child:
    """What a token command starts: it tells of itself through a pipe, which ends with the last that holds it."""

    def __init__(self, folder: Path) -> None:
        self._pipe = folder / "pipe"
        os.mkfifo(self._pipe, 0o600)
        self.begins = f"exec 3>{self._pipe}; sleep 1000 & echo $! >&3"

    async def begun(self) -> int:
        """Its process, once it is there."""
        self._file = await asyncio.to_thread(self._pipe.open)
        return int(await asyncio.to_thread(self._file.readline))

    async def ended(self) -> None:
        """Wait until nothing is left of it."""
        async with asyncio.timeout(20):
            await asyncio.to_thread(self._file.read)
        self._file.close()


async def test_a_token_command_that_hangs_is_ended_with_all_that_it_has_started(tmp_path, monkeypatch):
    monkeypatch.setattr(credentials, "COMMAND_SECONDS", 3.0)
    child = Child(tmp_path)
    waits = asyncio.create_task(credentials.token(script(tmp_path, f"{child.begins}; wait"), None, "UNUSED", {}))
    await child.begun()
    with pytest.raises(NotSignedIn, match=r"give` gave no token within 3 s"):
        await waits
    await child.ended()


async def test_whoever_stops_waiting_for_a_token_command_ends_it(tmp_path):
    child = Child(tmp_path)
    waits = asyncio.create_task(credentials.token(script(tmp_path, f"{child.begins}; wait"), None, "UNUSED", {}))
    await child.begun()
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    await child.ended()


async def test_a_token_command_is_done_when_it_has_ended_whatever_it_leaves_running(tmp_path):
    child = Child(tmp_path)
    waits = asyncio.create_task(credentials.token(script(tmp_path, f"{child.begins}; echo sesame"), None, "UNUSED", {}))
    process = await child.begun()
    assert (await waits).reveal() == "sesame"
    # What it started, such as an agent for the next time, is left alone: it is there to be ended.
    os.kill(process, signal.SIGKILL)
    await child.ended()


async def test_no_token_at_all(tmp_path):
    with pytest.raises(NotSignedIn, match="QUASH_SERVICE_TOKEN is not set") as caught:
        await credentials.token(None, None, credentials.SERVICE_TOKEN, {})
    assert caught.value.hint == "Name one of the two in the profile, or set QUASH_SERVICE_TOKEN."
    with pytest.raises(NotSignedIn, match="cannot be read: No such file"):
        await credentials.token(None, os.fspath(tmp_path / "none"), credentials.SERVICE_TOKEN, {})
    with pytest.raises(NotSignedIn, match="is empty"):
        await credentials.token(None, secret(tmp_path / "empty", "\n"), credentials.SERVICE_TOKEN, {})


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o666])
async def test_a_token_file_that_others_may_use_is_refused(tmp_path, mode):
    file = secret(tmp_path / "token", "sesame")
    (tmp_path / "token").chmod(mode)
    with pytest.raises(NotSignedIn, match="others may read or write") as caught:
        await credentials.token(None, file, "UNUSED", {})
    assert caught.value.hint == f"chmod 600 {file}"


async def test_a_token_file_that_holds_far_too_much_is_not_sent(tmp_path):
    file = secret(tmp_path / "token", "a" * (credentials.LARGEST + 1))
    with pytest.raises(NotSignedIn, match="more than the 16,384 bytes"):
        await credentials.token(None, file, "UNUSED", {})
    assert await credentials.token(None, secret(tmp_path / "token", "a" * credentials.LARGEST), "UNUSED", {})


async def test_a_token_file_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "token", 0o600)
    with pytest.raises(NotSignedIn, match="it is no regular file"):
        await credentials.token(None, os.fspath(tmp_path / "token"), "UNUSED", {})


@pytest.mark.parametrize("text", ["t\u00f6ken", "one\ntwo", "a\x00b"])
async def test_a_token_that_no_header_carries_is_told_and_not_shown(text):
    with pytest.raises(NotSignedIn, match="QUASH_SERVICE_TOKEN cannot be a token") as caught:
        await credentials.token(None, None, "QUASH_SERVICE_TOKEN", {"QUASH_SERVICE_TOKEN": text})
    assert text not in str(caught.value)


COPIED = ["t0k.en-x", "Bearer t0k.en-x", "bearer  t0k.en-x\n", '"t0k.en-x"', "'t0k.en-x'", '"Bearer t0k.en-x"',
          "Authorization: Bearer t0k.en-x\r\n", 'Bearer "t0k.en-x"', "\tt0k.en-x "]  # fmt: skip


@pytest.mark.parametrize("text", COPIED)
@pytest.mark.parametrize("source", ["command", "file", "environment"])
async def test_a_token_is_taken_out_of_what_was_copied_with_it(tmp_path, source, text):
    secret(tmp_path / "token", text)
    given = {
        "command": (script(tmp_path, f"cat {tmp_path / 'token'}"), None, {}),
        "file": (None, os.fspath(tmp_path / "token"), {}),
        "environment": (None, None, {"QUASH_SERVICE_TOKEN": text}),
    }[source]
    assert (await credentials.token(*given[:2], "QUASH_SERVICE_TOKEN", given[2])).reveal() == "t0k.en-x"


@pytest.mark.parametrize(
    "text", ['"t0ken', "t0ken'", "t0 ken", "Basic dXNlcjpw", "Bearer", '{"access_token": "t0ken"}', '""']
)
async def test_what_is_no_token_is_not_sent(text):
    with pytest.raises(NotSignedIn) as caught:
        await credentials.token(None, None, "QUASH_SERVICE_TOKEN", {"QUASH_SERVICE_TOKEN": text})
    assert "t0ken" not in f"{caught.value} {caught.value.hint}"
