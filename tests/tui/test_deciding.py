"""What an operator decides by stands first: in the panel and in the review, at every width."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from support.operator import Desk, desk_over, whole_demo
from tui_app.tui.preview_text import by_weight

SIZES = [(80, 24), (100, 30), (120, 40)]
DECIDED_BY = {
    "commands": ["Error code", "Error"],
    "cases": ["Title"],
    "schedules": ["Goes out", "Content", "Channel"],
}


def places_of(texts: Sequence[str], lines: Sequence[str]) -> list[int]:
    """In which line each of these begins; -1 for one that is not there."""
    return [next((at for at, line in enumerate(lines) if line.strip().startswith(text)), -1) for text in texts]


async def opened(desk: Desk) -> list[str]:
    """The panel's lines for the item of the cursor, opened by its key where the width has it closed."""
    if not desk.items.query_one("PreviewPanel").display:
        await desk.does("preview")
    await desk.until(lambda: desk.here is not None and desk.here in desk.panel and "Trail" in desk.panel, "the panel")
    return desk.panel.splitlines()


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_panel_begins_with_what_one_decides_by(tmp_path: Path, size: tuple[int, int]) -> None:
    async with whole_demo("embedded", tmp_path) as service, desk_over(service, size) as desk:
        for place, titles in DECIDED_BY.items():
            await desk.on(place)
            lines = await opened(desk)
            at = places_of(["✓ can be cancelled", desk.here or "", *titles, "What would happen", "Trail"], lines)
            assert at == sorted(at), (place, lines)
            assert at[0] == 0, lines
            for late in ("Tries", "Reply queue", "Attempts"):
                [found] = places_of([late], lines)
                assert found == -1 or found > at[-1], (late, lines)
            assert '"outcome"' not in "\n".join(lines[: at[-1]])
            # The table beside it says more of the other rows than how they are called.
            heading = desk.text.splitlines()[2]
            assert any(title in heading for title in ("Status", *titles)), desk.text


async def test_the_reply_ends_the_panel(tmp_path: Path) -> None:
    async with whole_demo("embedded", tmp_path) as service, desk_over(service, (120, 40)) as desk:
        lines = await opened(desk)
        titles = [line for line in lines if line.startswith(("Payload", "Last error", "Batch", "Reply to"))]
        assert titles[-1].startswith("Reply to"), lines
        assert lines[-1] == "}", lines
        await desk.sees("Reply to", '"outcome": "CANCELED"')


async def test_another_description_gives_another_order(tmp_path: Path) -> None:
    async with whole_demo("embedded", tmp_path) as service, desk_over(service, (120, 40)) as desk:
        system = desk.items.system
        assert system is not None
        weights = {"attempts": 1, "error_code": 9}
        columns = [one.model_copy(update={"priority": weights.get(one.field, one.priority)}) for one in system.columns]
        order = [one.field for one in by_weight(system.model_copy(update={"columns": columns}))]
        assert order[0] == "attempts"
        assert order[-1] == "error_code"


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_review_shows_of_each_item_what_one_decides_by(tmp_path: Path, size: tuple[int, int]) -> None:
    async with whole_demo("embedded", tmp_path) as service, desk_over(service, size) as desk:
        for place, field in (("commands", "error_code"), ("cases", "title"), ("schedules", "content")):
            await desk.on(place).does("first")
            item = next(row for row in desk.table.rows if row.verdict.cancellable and row.fields[field].isascii())
            while desk.here != item.id:
                await desk.does("down")
            await desk.does("review")
            await desk.settled_review()
            said = str(item.fields[field])[:8]
            await desk.until(lambda said=said: said in desk.text, place)
            row = next(line for line in desk.text.splitlines() if item.id[:4] in line and said in line)
            assert "IN_TROUBLESHOOTING" not in row, row
            await desk.does("back")
