"""A journal of a profile that had cases once: plans and runs over them, and the world without them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from support.mixed import everything, fill_all, mixed_world
from support.world import WHO, World, make_world
from tui_app.domain.describe import Verb
from tui_app.systems.commands.embedded import EmbeddedCommands

GONE = "this profile does not have the system cases any more"


@dataclass(frozen=True)
class Left:
    """What was begun with the cases; ``other`` is a run of commands. ``half`` is a plan that nobody makes any more."""

    world: World
    plan: str
    half: str
    over: str
    waiting: str
    other: str


async def without_cases(folder: Path) -> Left:
    """A world that has commands only, a minute after all this was begun."""
    world = mixed_world(folder)
    fill_all(folder, 3, "commands", "cases")
    over = await world.confirm(await world.plan(*everything("cases")), key="over")
    await world.worker().drive(over.id)
    fill_all(folder, 2, "cases")
    plan = await world.plan(*everything("cases"))
    waiting = await world.confirm(await world.plan(*everything("cases")), key="waiting")
    other = await world.confirm(await world.plan(*everything("commands")), key="other")
    half = await world.planner.start(everything("cases"), Verb.CANCEL, None, None, WHO)
    await world.close()
    less = make_world(folder, {"commands": EmbeddedCommands(folder / "commands.db", world.clock)}, world.clock)
    less.clock.forward(60)
    return Left(less, plan.id, half.id, over.id, waiting.id, other.id)
