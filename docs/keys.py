"""Writes docs/keys.md from the registry of actions: `python docs/keys.py`. A test compares the two."""

from pathlib import Path

from tui_app.tui.actions import ACTIONS, DETAIL, ENTRY, EVERYWHERE, HELP, ITEMS, LEDGER, REVIEW, RUN, RUNS, SCREENS
from tui_app.tui.keymap import Keymap, shown_key

PAGE = Path(__file__).with_name("keys.md")

HEAD = """# Keys

Made from `tui_app/tui/actions.py` by `python docs/keys.py`; change it there.

A key is never hidden: where its action makes no sense, the key says why. `?` shows the keys of a screen and searches
them, `ctrl+p` finds every action by its name. While a text is typed, as a filter, a reason or a search in the help,
letters are that text: the line below then names the keys that act, as `esc`, `F1` for help and `ctrl+q` to quit. An
action gets other keys in `config.toml`, by its name, with a space between several:

```toml
[keys]
mark = "space insert"
```

What terminals and multiplexers keep for themselves (`ctrl+a`, `ctrl+b`, `ctrl+o`, `ctrl+i`, `ctrl+m`, `ctrl+[`,
`ctrl+h`, `ctrl+j`, `ctrl+space`, `ctrl+enter`, `shift+enter`, `ctrl+shift` with a letter, `alt` with anything) cannot
be given to an action.
"""

SECTIONS = {
    SCREENS: "On every screen",
    EVERYWHERE: "On every screen and dialog",
    ITEMS: "Items: commands, cases, schedules",
    DETAIL: "Detail of an item",
    REVIEW: "Review",
    RUNS: "Runs",
    RUN: "One run",
    LEDGER: "Ledger",
    ENTRY: "One line of the ledger",
    HELP: "Help",
    "copy": "After `y`",
    "ask": "Questions",
}


def text() -> str:
    """The whole page."""
    keymap = Keymap()
    parts = [HEAD]
    known = {place for action in ACTIONS for place in action.places}
    for place in [*SECTIONS, *sorted(known - SECTIONS.keys())]:
        rows = [
            f"| {' '.join(_code(key) for key in keymap.keys(action))} | `{action.id}` | {action.help} |"
            for action in ACTIONS
            if place in action.places
        ]
        if rows:
            title = SECTIONS.get(place, place.replace("_", " ").capitalize())
            parts.append(
                "\n".join([f"## {title}\n", "| keys | action | what it does |", "|---|---|---|", *rows]) + "\n"
            )
    return "\n".join(parts)


def _code(key: str) -> str:
    return f"`{shown_key(key)}`"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
