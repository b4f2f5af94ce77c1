"""The README's first five minutes, as they stand: its keys in the console, and its block of commands."""

import re
from pathlib import Path

import pytest

from support.operator import desk_over, whole_demo
from support.pages import ROOT, Fence, commands_of, page
from support.walking import Shell, as_pattern, settled
from tui_app.tui.screens.detail import DetailScreen
from tui_app.tui.screens.help import HelpScreen
from tui_app.tui.screens.items import ItemsScreen


def block() -> Fence:
    [found] = [fence for fence in page("README.md").fences if fence.language == "console"]
    return found


@pytest.mark.slow
def test_the_first_five_minutes_print_what_the_page_says(tmp_path: Path) -> None:
    shell, commands = Shell(tmp_path), commands_of(block())
    assert len(commands) > 5
    assert [command.output for command in commands if command.line == "echo $?"] == [["1"]]
    for command in commands:
        shell.holds(command)


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
    "?": ["question_mark"],
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
    assert walk() == [
        "j",
        "p",
        "space",
        "x",
        "enter",
        "q",
        "/",
        "a",
        "x",
        "escape",
        "\\",
        "2",
        "4",
        "5",
        "?",
        "escape",
        "Q",
    ]
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
        await desk.press("enter")
        await desk.until(lambda: isinstance(desk.app.screen, DetailScreen), "all of it")
        await desk.settled()
        text = desk.app.screen.query_one("#detail")
        await desk.settled_keys()
        for _ in range(text.max_scroll_y):
            await desk.press("j")
        await desk.until(lambda: text.scroll_y == text.max_scroll_y, "its end")
        await desk.press("escape")
        await desk.until(lambda: isinstance(desk.app.screen, ItemsScreen), "the commands")
        await desk.settled_keys()
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
        help_, *leave = walk()[-3:]
        await desk.press(STEPS[help_][0])
        await desk.until(lambda: isinstance(desk.app.screen, HelpScreen), "the help")
        for key in leave:
            await desk.settled_keys()
            await desk.press(key)
            await desk.settled_keys()
        await desk.until(lambda: desk.app._exit, "the shell")
