"""The operator's call is the library's: its callers change the import, and nothing else."""

import inspect
from pathlib import Path
from uuid import uuid4

import commandbus
import pytest
from commandbus import exceptions

from support.embedded_bus import command_bus
from tui_app.systems.commands import operator
from tui_app.systems.commands.operator import CommandNotFoundError, InvalidOperationError, TroubleshootingQueue

REASON = "Invalid account"
ERRORS = ("CommandNotFoundError", "InvalidOperationError")


def parameters(function):
    """What a caller may rely on: names, kinds and defaults, in their order."""
    found = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default) for one in found]


def added(theirs, ours):
    """What ours takes beyond theirs; None where a call of theirs would not be one of ours."""
    common = ours[: len(theirs)]
    return ours[len(theirs) :] if common == theirs else None


def compatible(theirs, ours):
    more = added(parameters(theirs), parameters(ours))
    return more is not None and all(
        kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD) for _, kind, _ in more
    )


def test_operator_cancel_takes_every_call_that_the_library_takes():
    assert compatible(commandbus.TroubleshootingQueue.operator_cancel, TroubleshootingQueue.operator_cancel)


@pytest.mark.parametrize("name", ERRORS)
def test_the_errors_are_made_as_those_of_the_library(name):
    assert compatible(getattr(exceptions, name).__init__, getattr(operator, name).__init__)


def test_an_error_carries_what_that_of_the_library_carries():
    theirs = exceptions.CommandNotFoundError("payments", "abc-123")
    ours = CommandNotFoundError("payments", "abc-123")
    assert {name: getattr(ours, name) for name in vars(theirs)} == vars(theirs)
    assert str(InvalidOperationError("not now")) == str(exceptions.InvalidOperationError("not now"))


@pytest.mark.parametrize(
    "broken",
    [
        lambda self, *, domain, command_id, reason, operator=None: None,
        lambda self, domain, command_id, reason, operator: None,
        lambda self, domain, command, reason, operator=None: None,
        lambda self, domain, command_id, reason, operator=None, again=False: None,
    ],
)
def test_a_signature_that_would_break_a_caller_is_found(broken):
    assert not compatible(commandbus.TroubleshootingQueue.operator_cancel, broken)


async def test_uuids_and_positions_are_taken_and_the_errors_name_the_command(tmp_path: Path):
    own, other = uuid4(), uuid4()
    async with command_bus(tmp_path / "commands.db") as world:
        item = await world.troubled(str(own))
        await world.operator.operator_cancel("payments", own, REASON, "jane@example.com")
        [event] = world.events(item, "OPERATOR_CANCEL")
        assert (event["operator"], event["reason"]) == ("jane@example.com", REASON)
        with pytest.raises(CommandNotFoundError) as missing:
            await world.operator.operator_cancel("payments", other, REASON)
        with pytest.raises(InvalidOperationError) as ended:
            await world.operator.operator_cancel("payments", own, REASON)
    assert (missing.value.domain, missing.value.command_id) == ("payments", str(other))
    assert (ended.value.domain, ended.value.command_id) == ("payments", str(own))
