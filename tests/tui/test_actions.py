"""The registry of actions: every key does something, none is eaten by a terminal, and the page of keys is this one."""

import importlib
import importlib.util
import pkgutil
from pathlib import Path

import pytest

from tui_app.domain.errors import UsageProblem
from tui_app.tui.actions import ACTIONS, BY_ID, DIALOGS, State
from tui_app.tui.everywhere import Everywhere
from tui_app.tui.keymap import Keymap, eaten

ROOT = Path(__file__).parents[2]

PLACES = sorted({place for action in ACTIONS for place in action.places})

# The table of the design, place by place.
EXPECTED = {
    "items": {
        "down": "j down", "up": "k up", "page_down": "pagedown", "page_up": "pageup", "half_down": "ctrl+d",
        "half_up": "ctrl+u", "first": "g home", "last": "G end", "left": "h left", "right": "l right", "mark": "space",
        "range": "v", "range_down": "shift+down", "range_up": "shift+up", "mark_all": "a", "invert": "*",
        "clear": "\\", "same": ",", "only_marked": "M", "filter": "/", "sort": "o", "sort_reverse": "O",
        "detail": "enter", "preview": "p", "preview_marked": "P", "review": "x", "copy": "y", "refresh": "r",
        "review_all": "X",
        "auto": ".", "command_line": ":", "help": "? f1", "palette": "ctrl+p f2", "back": "escape", "level_up": "q",
        "quit": "Q ctrl+q", "leave": "ctrl+c", "suspend": "ctrl+z", "go_commands": "1", "go_cases": "2",
        "go_schedules": "3", "go_runs": "4", "go_ledger": "5",
    },
    "run": {"pause": "space", "stop": "S", "retry": "t", "undo": "u", "verify": "V", "export": "e"},
    "copy": {"copy_id": "i", "copy_row": "r", "copy_curl": "c", "copy_command": "l"},
}  # fmt: skip


def test_ids_are_unique():
    assert len(BY_ID) == len(ACTIONS)


@pytest.mark.parametrize("place", EXPECTED)
def test_the_keys_are_those_of_the_design(place):
    keymap = Keymap()
    found = {action.id: " ".join(keymap.keys(action)) for action in keymap.at(place)}
    assert {name: found.get(name) for name in EXPECTED[place]} == EXPECTED[place]


def test_no_key_is_one_that_terminals_eat():
    assert [(action.id, key) for action in ACTIONS for key in action.keys if eaten(key)] == []


@pytest.mark.parametrize(
    "key",
    ["ctrl+a", "ctrl+b", "ctrl+o", "ctrl+i", "ctrl+m", "ctrl+[", "ctrl+h", "ctrl+j", "ctrl+enter", "shift+enter",
     "ctrl+shift+p", "alt+x", "alt", "ctrl+space", "ctrl+at"],
)  # fmt: skip
def test_what_terminals_eat_cannot_be_bound(key):
    assert eaten(key)
    with pytest.raises(UsageProblem, match="terminals keep"):
        Keymap({"review": key})


@pytest.mark.parametrize("key", ["ctrl+d", "ctrl+u", "ctrl+p", "ctrl+c", "a", "alteration", "f1", "shift+down"])
def test_what_they_do_not_eat_can_be(key):
    assert not eaten(key)


def test_the_operator_gives_an_action_other_keys():
    keymap = Keymap({"review": "Z f9"})
    assert keymap.keys(BY_ID["review"]) == ("Z", "f9")
    bound = {binding.key: binding.action for binding in keymap.bindings("items")}
    assert bound["Z"] == bound["f9"] == "app.perform('review')"
    assert "x" not in bound


def test_one_key_cannot_do_two_things_in_one_place():
    with pytest.raises(UsageProblem, match="'j' would do both"):
        Keymap({"review": "j"})
    assert Keymap({"copy_id": "j"})


def test_an_unknown_action_is_answered_with_a_near_one():
    with pytest.raises(UsageProblem) as caught:
        Keymap({"reviw": "X"})
    assert caught.value.hint == "Did you mean review?"


def test_every_action_says_what_it_does_and_why_not():
    for action in ACTIONS:
        assert action.help.endswith("."), action.id
        assert action.label, action.id
        why = action.why_disabled(State())
        assert why is None or why.endswith("."), (action.id, why)


def test_reading_only_forbids_what_writes():
    writing = State(connected=True, may_write=True, item=True, marked=1, run="running", retriable=1, done=1, rows=1)
    reading = State(connected=True, may_write=False, item=True, marked=1, run="running", retriable=1, done=1, rows=1)
    forbidden = {action.id for action in ACTIONS if action.why_disabled(reading) and not action.why_disabled(writing)}
    assert {"review", "pause", "stop", "retry"} <= forbidden
    assert "detail" not in forbidden
    assert "read-only" in (BY_ID["review"].why_disabled(reading) or "")


def handlers(place: str) -> list[type]:
    from tui_app.tui.copying import Copying
    from tui_app.tui.marking import Marking
    from tui_app.tui.moving import Moving
    from tui_app.tui.panel import Panel
    from tui_app.tui.screens.ask import Ask
    from tui_app.tui.screens.copy import CopyMenu
    from tui_app.tui.screens.detail import DetailScreen
    from tui_app.tui.screens.help import HelpScreen
    from tui_app.tui.screens.items import ItemsScreen

    own = {
        "items": [ItemsScreen, Moving, Marking, Copying, Panel],
        "detail": [DetailScreen],
        "help": [HelpScreen],
        "copy": [CopyMenu],
        "ask": [Ask],
    }
    return [*own[place], Everywhere]


@pytest.mark.parametrize("place", ["items", "detail", "help", "copy", "ask"])
def test_every_action_of_a_place_has_a_handler(place):
    missing = [
        action.id
        for action in Keymap().at(place)
        if not any(hasattr(each, f"act_{action.handler or action.id}") for each in handlers(place))
    ]
    assert missing == []


def test_every_handler_of_a_screen_is_reached_by_a_key_of_its_place():
    from tui_app.tui import screens
    from tui_app.tui.screens.base import QuashScreen

    modules = [
        importlib.import_module(f"{screens.__name__}.{one.name}") for one in pkgutil.iter_modules(screens.__path__)
    ]
    found = {one for each in modules for one in vars(each).values() if hasattr(one, "PLACE")}
    assert len(found) > 10
    unreached = [
        f"{screen.__name__}.{name}"
        for screen in found
        if issubclass(screen, QuashScreen)
        for name in vars(screen)
        if name.startswith("act_")
        and name not in {f"act_{action.handler or action.id}" for action in Keymap().at(screen.PLACE)}
    ]
    assert unreached == []


def test_a_dialog_has_no_places():
    for dialog in DIALOGS:
        assert not any(action.handler == "go" for action in Keymap().at(dialog))


def test_the_page_of_keys_is_this_registry():
    spec = importlib.util.spec_from_file_location("keys_page", ROOT / "docs" / "keys.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), "run: python docs/keys.py"
    for action in ACTIONS:
        assert f"`{action.id}`" in page.text()
