"""What is typed behind the key of a field goes into the field, however fast it comes."""

from collections.abc import Callable

import pytest
from textual import events
from textual.widgets import Input

from support.backend import Service
from support.console import Operator
from tui_app.tui.app import QuashApp
from tui_app.tui.screens.command_line import CommandLine
from tui_app.tui.typed import LineEnd, TypedInput


class Hasty(QuashApp):
    """Hands out each key before the one before it is done."""

    astray = ""

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and event.is_forwarded:
            self.astray = event.key
        await super().on_event(event)

    async def _done_at_once(self, event: events.Key) -> bool:
        return False


class Deaf(LineEnd):
    """The end of a line, of which no widget hears."""


async def opened(kind: type[QuashApp], local: Service, mode: str, then: Callable[[Operator], object]) -> None:
    app = kind(lambda: local.client_of("jane@example.com", "operate"), utf8=True)
    async with app.run_test(size=(100, 30)) as pilot:
        operator = Operator(app, pilot)
        await operator.until(lambda: app.about is not None, "an answer")
        app.switch_mode(mode)
        await operator.until(lambda: app.current_mode == mode and not app.dropping and app.focused, mode)
        if mode == "commands":
            await operator.until(lambda: app.top.state().item, "an item")
        await then(operator)  # type: ignore[misc]


def one_read(operator: Operator, text: str, end: type[events.Key] = LineEnd) -> None:
    for message in TypedInput().feed(text):
        operator.app.post_message(end() if isinstance(message, LineEnd) else message)  # type: ignore[call-arg]


PLACES = {"commands": "a", "runs": "S", "ledger": "operator:jane@example.com"}
"""What is typed as a filter in each place; letters of it are keys of the list."""


@pytest.mark.parametrize("mode", PLACES)
async def test_a_filter_that_is_typed_at_once_is_a_filter_and_no_keys_of_the_list(local: Service, mode: str):
    async def typed(operator: Operator) -> None:
        one_read(operator, "/" + PLACES[mode])
        await operator.until(lambda: isinstance(operator.app.focused, Input), "the field")
        await operator.until(lambda: operator.app.focused.value == PLACES[mode], "the filter")
        assert operator.app.top.state().marked == 0

    await opened(QuashApp, local, mode, typed)


async def test_a_console_that_hands_out_keys_too_early_is_found(local: Service):
    async def typed(operator: Operator) -> None:
        one_read(operator, "/" + PLACES["commands"])
        await operator.until(lambda: operator.app.astray == "a", "the letter, up from the list")
        assert operator.app.top.bar.editing
        assert operator.app.focused.value != PLACES["commands"]

    await opened(Hasty, local, "commands", typed)


@pytest.mark.parametrize("end", [LineEnd, Deaf])
async def test_enter_that_comes_with_the_line_ends_the_filter_and_the_command_line(local: Service, end: type):
    async def typed(operator: Operator) -> None:
        one_read(operator, "/error_code:x\r", end)
        await operator.until(lambda: operator.app.top.reading.filter == "error_code:x", "the filter in force")
        if end is Deaf:
            # What this is to find: whoever types fast stays in the field, and goes on typing into it.
            assert operator.app.top.bar.editing
            return
        await operator.until(lambda: not operator.app.top.bar.editing, "the table")
        await operator.press(":")
        await operator.on(CommandLine)
        await operator.until(lambda: not operator.app.dropping and operator.app.focused, "the command line")
        one_read(operator, "runs\r")
        await operator.until(lambda: operator.app.current_mode == "runs", "Runs")

    await opened(QuashApp, local, "commands", typed)
