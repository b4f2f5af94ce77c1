"""The README's first five minutes, as they stand: its keys in the console, and its block of commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.operator import desk_over, whole_demo
from support.pages import ROOT, Command, Fence, commands_of, page
from tui_app.tui.screens.help import HelpScreen
from tui_app.tui.screens.items import ItemsScreen

VOLATILE = (
    (re.compile(r"\b([pr])[0-9a-f]{16}\b"), r"<\1>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"\(hash [0-9a-f]{8}\)"), "(hash <hash>)"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "<time>"),
    (re.compile(r" +"), " "),
)


def settled(text: str) -> str:
    """The text without what differs from one run to the next."""
    for pattern, put in VOLATILE:
        text = pattern.sub(put, text)
    return text.strip()


def as_pattern(lines: list[str]) -> str:
    """What is printed, as a pattern: … stands for the rest of a line, and on a line of its own for whole lines."""
    groups = re.split(r"\n…\n", settled("\n".join(lines)))
    return r"\n(?:.*\n)*".join(".*".join(re.escape(piece) for piece in group.split("…")) for group in groups)


def block() -> Fence:
    [found] = [fence for fence in page("README.md").fences if fence.language == "console"]
    return found


def run(command: Command, folder: Path, environment: dict[str, str]) -> tuple[str, dict[str, str]]:
    """What a command prints on both streams, and the environment after it."""
    script = f"{command.line}\nset -- $?\nenv -0 > environment\nexit $1\n"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    after = (folder / "environment").read_bytes().decode().rstrip("\0").split("\0")
    return done.stdout.decode(), dict(entry.partition("=")[::2] for entry in after)


@pytest.mark.slow
def test_the_first_five_minutes_print_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    script = tmp_path / ".venv" / "bin" / "quash"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tui_app "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    environment = dict(os.environ)
    commands = commands_of(block())
    assert len(commands) > 5
    for command in commands:
        printed, environment = run(command, tmp_path, environment)
        assert re.fullmatch(as_pattern(command.output), settled(printed)), f"$ {command.line}\n{printed}"


def test_the_comparison_sees_a_difference() -> None:
    said = as_pattern(["plan p0f3a7f55d9c1e2b4 (hash a835abea): …", "  225 in the plan"])
    assert re.fullmatch(said, settled("plan p1111111111111111 (hash 00000000): anything\n  225 in the plan\n"))
    assert not re.fullmatch(said, settled("plan p1111111111111111 (hash 00000000): anything\n  224 in the plan\n"))


STEPS = {
    "j": ["j"],
    "p": ["p"],
    "space": ["space", "space", "space"],
    "/": ["slash", "end", "space", *"error_code", "colon", *"GATEWAY_TIMEOUT", "enter"],
    "\\": ["backslash"],
}
"""What the page says to press beyond the key itself."""


def walk() -> list[str]:
    """The keys of the page's first table, in its order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("| key | what to do | you see |\n|---|---|---|\n")[2].partition("\n\n")[0]
    return [re.findall(r"`([^`]+)`", line)[0] for line in table.splitlines()]


@pytest.mark.parametrize(
    ("size", "before"),
    [((80, 24), ["j"] * 4), ((100, 30), []), ((120, 40), ["G", "k", "g", "j", "p", "o"])],
    ids=["80x24", "100x30", "120x40"],
)
async def test_the_walk_in_the_console_is_true_whatever_was_pressed_before(
    tmp_path: Path, size: tuple[int, int], before: list[str]
) -> None:
    assert walk() == ["j", "p", "space", "x", "enter", "q", "/", "a", "x", "escape", "\\", "2", "4", "5", "?", "Q"]
    async with whole_demo("embedded", tmp_path, 300) as service, desk_over(service, size) as desk:
        for key in before:
            await desk.press(key)
            await desk.settled()
        failed = "status:IN_TROUBLESHOOTING_QUEUE error_code:GATEWAY_TIMEOUT"
        for key in walk()[:3]:
            if key == "p" and desk.items.query_one("PreviewPanel").display:
                continue
            await desk.press(*STEPS[key])
            await desk.settled()
        await desk.until(lambda: "can be cancelled" in desk.panel or "cannot:" in desk.panel, "the panel")
        await desk.until(lambda: "Reply to" in desk.panel or "wanted no reply" in desk.panel, "the reply")
        assert "3 marked" in desk.numbers
        await desk.press("x")
        await desk._confirmed("duplicate request", "cancelled")
        await desk.sees("3 cancelled", "verified: 3 yes")
        await desk.press("q")
        await desk.until(lambda: isinstance(desk.app.screen, ItemsScreen), "the commands")
        await desk.settled()
        await desk.press(*STEPS["/"])
        await desk.until(lambda: desk.table.has_focus and desk.items.reading.filter == failed, "the filter")
        await desk.settled()
        left = (await service.client.items.count("commands", filter=failed)).value
        assert f"of {left}" in desk.numbers
        await desk.press("a")
        await desk.until(lambda: f"{left} marked" in desk.numbers, "all of them")
        await desk.press("x")
        await desk.settled_review()
        await desk.sees(f"{left} in the plan", "will be cancelled", "blocked")
        await desk.press("escape")
        await desk.until(lambda: isinstance(desk.app.screen, ItemsScreen), "the commands")
        await desk.press("backslash")
        await desk.until(lambda: not desk.table.marks, "no mark")
        await desk.on("cases").on("schedules")
        await desk.sees("every 5 s")
        await desk.on("runs")
        await desk.sees("3 cancelled")
        await desk.on("ledger")
        await desk.sees("cancelled", "finished")
        await desk.press("question_mark")
        await desk.until(lambda: isinstance(desk.app.screen, HelpScreen), "the help")
        await desk.press("escape")
        await desk.settled_keys()
        await desk.press("Q")
        await desk.until(lambda: desk.app._exit, "the shell")
