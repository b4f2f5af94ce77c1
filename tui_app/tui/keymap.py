"""Which key does what, once the registry and the operator's own keymap are laid over each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from textual.binding import Binding

from tui_app.domain.errors import UsageProblem
from tui_app.domain.filters import nearest
from tui_app.tui.actions import ACTIONS, BY_ID, DIALOGS, EVERYWHERE, SCREENS, Action
from tui_app.tui.widgets.fields import typed

# What terminals and multiplexers take for themselves, or cannot tell from another key.
EATEN = re.compile(
    r"ctrl\+(?:[abohijm\[@]|enter|space|at|left_square_bracket|shift\+.*)|shift\+enter|(?:alt|super|meta)\+.*"
)


def eaten(key: str) -> bool:
    """Whether a terminal keeps the key from us."""
    return EATEN.fullmatch(key) is not None or key == "alt"


class Keymap:
    """The keys of every action: the registry's, or the operator's own where the config names the action.

    Raises:
        UsageProblem: the config names an action that is not there, a key that terminals eat, or one key twice.
    """

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        self._keys = {action.id: action.keys for action in ACTIONS}
        for name, keys in (own or {}).items():
            self._keys[self._known(name)] = tuple(self._allowed(name, key.strip()) for key in keys.split(" "))
        self._check_clashes()

    def keys(self, action: Action) -> tuple[str, ...]:
        """The keys of an action, as the config writes them."""
        return self._keys[action.id]

    def shown(self, action: Action, *, typing: bool = False) -> str:
        """Its first key, as the footer shows it: with ``typing`` the first that no field takes. Empty where none is."""
        keys = [key for key in self.keys(action) if not (typing and typed(key))]
        return shown_key(keys[0]) if keys else ""

    def at(self, place: str) -> Iterator[Action]:
        """The actions of a place, its own first."""
        yield from (action for action in ACTIONS if place in action.places)
        shared = {EVERYWHERE} if place in DIALOGS else {EVERYWHERE, SCREENS}
        yield from (action for action in ACTIONS if shared.intersection(action.places))

    def bindings(self, place: str) -> Iterator[Binding]:
        """What Textual is to bind on the screen of a place."""
        for action in self.at(place):
            for key in self.keys(action):
                yield Binding(
                    "comma" if key == "," else key,
                    f"app.perform('{action.id}')",
                    action.label,
                    priority=action.urgent and len(key) > 1,
                    id=action.id,
                )

    def _known(self, name: str) -> str:
        if name in BY_ID:
            return name
        near = nearest(name, BY_ID)
        hint = f"Did you mean {near}?" if near else "docs/keys.md lists them."
        raise UsageProblem(f"the keymap names an action that is not there: {name!r}", hint=hint)

    def _allowed(self, name: str, key: str) -> str:
        if not key or eaten(key):
            raise UsageProblem(
                f"the keymap gives {name} the key {key!r}, which terminals keep for themselves", hint="Choose another."
            )
        return key

    def _check_clashes(self) -> None:
        for place in {place for action in ACTIONS for place in action.places}:
            seen: dict[str, str] = {}
            for action in self.at(place):
                for key in self.keys(action):
                    if seen.setdefault(key, action.id) != action.id:
                        raise UsageProblem(
                            f"the key {key!r} would do both {seen[key]} and {action.id}", hint="Give one another key."
                        )


_SHOWN = {
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "escape": "esc",
}


def shown_key(key: str) -> str:
    """A key as the operator knows it."""
    if key in _SHOWN or len(key) == 1:
        return _SHOWN.get(key, key)
    return key.upper() if re.fullmatch(r"f\d+", key) else key
