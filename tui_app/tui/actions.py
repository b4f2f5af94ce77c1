"""The one registry of actions and keys: bindings, footer, help, palette, keymap and docs/keys.md come from here.

An action is never hidden: where it makes no sense now, ``why_disabled`` says so in a sentence, and pressing its key
shows that sentence. What an action does is a method ``act_<id>`` of the screen, of one of its ``targets``, or of the
app; see ``tui_app.tui.app``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FIXED = ("commands", "cases", "schedules", "runs", "ledger")
"""The five places, by the number that opens them; a number stays what it is where a system is absent.

A system beyond these three has a place, too, which its name opens; see ``tui_app.tui.places``.
"""

SYSTEM_PLACES = FIXED[:3]

EVERYWHERE, SCREENS = "everywhere", "screens"
"""On every screen and dialog; on every screen."""

DIALOGS = frozenset({"ask", "choose", "copy", "command_line"})
ITEMS, DETAIL, REVIEW, RUNS, RUN, LEDGER, HELP = "items", "detail", "review", "runs", "run", "ledger", "help"
ENTRY = "entry"
TABLES = (ITEMS, RUNS, RUN, LEDGER)


@dataclass(frozen=True, slots=True)
class State:
    """What decides whether an action makes sense now. A screen fills in what it has.

    ``run`` is the state of the run that is shown, or under the cursor, in the words of the run's state machine.
    ``plan`` is the state of the plan under the cursor, where no run came of it.
    ``busy`` is a sentence about what has to end first; empty when nothing has to. ``elsewhere`` counts the marks in
    other places, ``undo`` what the run has cancelled and can be brought back; ``undo_closed`` is since when it cannot.
    """

    connected: bool = False
    may_write: bool = False
    systems: frozenset[str] = frozenset()
    depth: int = 1
    rows: int = 0
    item: bool = False
    marked: int = 0
    column: str = ""
    sortable: bool = False
    busy: str = ""
    run: str = ""
    plan: str | None = None
    wanted: str | None = None
    attended: bool = True
    retriable: int = 0
    done: int = 0
    elsewhere: int = 0
    undo: int = 0
    undo_closed: str = ""


Why = Callable[[State], str | None]


def _always(_: State) -> str | None:
    return None


def _connected(state: State) -> str | None:
    return None if state.connected else "Not connected yet; r tries again."


def _rows(state: State) -> str | None:
    return _connected(state) or (None if state.rows else "There are no rows here.")


def _item(state: State) -> str | None:
    return _connected(state) or (None if state.item else "The cursor is on no row.")


def _marked(state: State) -> str | None:
    return _connected(state) or (None if state.marked else "Nothing is marked; space marks a row.")


def _sortable(state: State) -> str | None:
    why = _connected(state)
    if why or state.sortable:
        return why
    return f"The system cannot order by {state.column}; h and l go to another column."


def _write(state: State) -> str | None:
    why = _connected(state)
    if why or state.may_write:
        return why
    return "This profile is read-only: nothing can be planned or cancelled from here."


def _review(state: State) -> str | None:
    why = _write(state) or state.busy
    return why or (None if state.item or state.marked else "There is nothing to review: no row, no mark.")


def _review_all(state: State) -> str | None:
    why = _write(state)
    return why or (None if state.elsewhere else "Nothing is marked in another place; x reviews what is marked here.")


def _place(system: str) -> Why:
    def why(state: State) -> str | None:
        if not state.connected or system in state.systems:
            return None
        return f"This profile has no {system}; a profile names the systems it has."

    return why


def _run_live(state: State) -> str | None:
    why = _write(state)
    if why or state.run in ("queued", "running", "paused"):
        return why
    return "This run is over." if state.run else "The cursor is on no run."


def _pausable(state: State) -> str | None:
    if state.plan is not None:
        return _write(state) or (None if state.plan == "interrupted" else "This plan is not interrupted.")
    settles = state.wanted == "stop" and state.attended and state.run != "paused"
    return _run_live(state) or ("It is being stopped; what was sent is settled." if settles else None)


def _stoppable(state: State) -> str | None:
    return _run_live(state) or ("It is already stopping." if state.wanted == "stop" else None)


def _retry(state: State) -> str | None:
    why = _write(state)
    return why or (None if state.retriable else "Nothing was refused that could be cancelled now.")


def _undo(state: State) -> str | None:
    why = _write(state)
    if why or (state.undo and not state.undo_closed):
        return why
    if not state.run:
        return "The cursor is on no run."
    return f"The last window closed at {state.undo_closed}." if state.undo else "Nothing here can be brought back."


def _verify(state: State) -> str | None:
    return _connected(state) or (None if state.done else "Nothing has been done yet, so nothing can be verified.")


def _deeper(state: State) -> str | None:
    return None if state.depth > 1 else "This is the top level; q or Q quits."


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the operator can do. ``label`` stands in the footer, ``help`` in the help and the palette.

    ``footer`` is its place there, 0 for none. ``urgent`` keys work while a field has the focus. ``argument`` is handed
    to the handler, which is ``act_<handler>``, or ``act_<id>`` where none is named.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    places: tuple[str, ...]
    why_disabled: Why = _always
    footer: int = 0
    urgent: bool = False
    handler: str = ""
    argument: str | None = None


def _move(id: str, keys: tuple[str, ...], sentence: str) -> Action:
    """A key that moves through rows or, but for a column, through text; in help only what the search does not use."""
    places: tuple[str, ...] = (*TABLES, REVIEW)
    if id not in ("left", "right"):
        places += (DETAIL, ENTRY)
    if id in ("down", "up", "page_down", "page_up"):
        places += (HELP,)
    return Action(id, keys, id.replace("_", " "), sentence, places, handler="move", argument=id)


def _go(number: int, place: str) -> Action:
    why = _place(place) if place in SYSTEM_PLACES else _always
    sentence = f"Go to {place.capitalize()}."
    return Action(
        f"go_{place}", (str(number),), place.capitalize(), sentence, (SCREENS,), why, handler="go", argument=place
    )


def _copy(id: str, key: str, label: str, sentence: str) -> Action:
    return Action(f"copy_{id}", (key,), label, sentence, ("copy",), handler="pick", argument=id)


def _items(id: str, keys: tuple[str, ...], label: str, sentence: str, why: Why = _rows, *, footer: int = 0) -> Action:
    return Action(id, keys, label, sentence, (ITEMS,), why, footer)


ACTIONS: tuple[Action, ...] = (
    *(_go(number, place) for number, place in enumerate(FIXED, 1)),
    _move("down", ("j", "down"), "Move down."),
    _move("up", ("k", "up"), "Move up."),
    _move("page_down", ("pagedown",), "Move down by a screen."),
    _move("page_up", ("pageup",), "Move up by a screen."),
    _move("half_down", ("ctrl+d",), "Move down by half a screen; it never deletes."),
    _move("half_up", ("ctrl+u",), "Move up by half a screen."),
    _move("first", ("g", "home"), "Go to the first row."),
    _move("last", ("G", "end"), "Go to the last row."),
    _move("left", ("h", "left"), "Move the column cursor left."),
    _move("right", ("l", "right"), "Move the column cursor right."),
    # Items
    _items("mark", ("space",), "mark", "Mark or unmark this item, and move down.", _item, footer=1),
    _items("range", ("v",), "range", "Begin a range here; the next v ends it, escape drops it.", _item, footer=8),
    _items("range_down", ("shift+down",), "range down", "Take the next row into a range."),
    _items("range_up", ("shift+up",), "range up", "Take the row above into a range."),
    _items("mark_all", ("a",), "all", "Mark everything the filter matches, as a filter and not as a list.", footer=2),
    _items("invert", ("*",), "invert", "Mark what is not marked, and the other way round."),
    _items("clear", ("\\",), "clear", "Take all marks away.", _marked, footer=9),
    _items("same", (",",), "same value", "Mark every item that has this cell's value.", _item, footer=10),
    _items("only_marked", ("M",), "only marked", "Show only what is marked, or everything again.", _marked),
    Action("filter", ("/",), "filter", "Filter as you type.", (ITEMS, RUNS, LEDGER), _connected, footer=3),
    _items("sort", ("o",), "sort", "Order by the column of the cursor.", _sortable, footer=7),
    _items("sort_reverse", ("O",), "reverse", "Turn the order round.", _connected),
    _items("detail", ("enter",), "detail", "Show everything that is known of this item.", _item, footer=6),
    Action("preview", ("p",), "preview", "Preview panel on and off.", (ITEMS,), footer=5),
    _items("preview_marked", ("P",), "preview marked", "Review what is marked, without acting.", _marked),
    _items("copy", ("y",), "copy", "Copy the id, the row, the curl line or the filter.", _item),
    _copy("id", "i", "id", "Copy the id."),
    _copy("row", "r", "row", "Copy the row, its cells separated by tabs."),
    _copy("curl", "c", "curl line", "Copy the curl line that reads this item from a served quash."),
    _copy("command", "l", "command line", "Copy the filter as a command line."),
    Action(
        "review",
        ("x",),
        "review",
        "Review what is marked, else this item. It opens a screen and never acts.",
        (ITEMS, DETAIL),
        _review,
        footer=4,
    ),
    Action(
        "review_all",
        ("X",),
        "review all",
        "Review what is marked in all places, as one plan.",
        (ITEMS,),
        _review_all,
        footer=12,
    ),
    # Review
    Action(
        "templates", ("f3",), "reasons", "Choose a reason from the templates and the last ones.", (REVIEW,), footer=1
    ),
    Action("editor", ("f4",), "$EDITOR", "Write the reason in $EDITOR.", (REVIEW,), footer=2),
    Action("renew", ("f5",), "new plan", "Make the plan anew; the reason stays.", (REVIEW,), _connected, footer=3),
    Action("panes", ("f6",), "items", "Go between the fields, the items and the impact.", (REVIEW,), footer=4),
    Action("fold", ("enter",), "fold", "Show all items of this group, or a few.", (REVIEW,)),
    # Runs and one run
    Action("open_run", ("enter",), "open", "Watch this run.", (RUNS,), _item, footer=6),
    Action("run_item", ("enter",), "item", "Show the outcome and the trail of this item.", (RUN,), _item, footer=7),
    Action(
        "pause",
        ("space",),
        "pause",
        "Pause the run after what is being sent, or resume it; resume a plan.",
        (RUNS, RUN),
        _pausable,
        1,
    ),
    Action("stop", ("S",), "stop", "Stop the run for good: what was not sent is skipped.", (RUNS, RUN), _stoppable, 2),
    Action("retry", ("t",), "retry", "Plan anew what was refused.", (RUNS, RUN), _retry, 3),
    Action(
        "verify", ("V",), "verify", "Hold what was cancelled against the system once more.", (RUNS, RUN), _verify, 5
    ),
    Action("undo", ("u",), "undo", "Plan to bring back what this run cancelled.", (RUNS, RUN), _undo, 4),
    Action("export", ("e",), "export", "Write the report to a file.", (RUNS, RUN, LEDGER), _connected, 6),
    # Ledger
    Action(
        "verify_ledger",
        ("V",),
        "verify",
        "Verify the ledger, and all that is read from the journal.",
        (LEDGER,),
        _connected,
        1,
    ),
    Action("entry", ("enter",), "whole entry", "Show everything that this line holds.", (LEDGER,), _item, 2),
    # Questions
    Action("yes", ("y",), "yes", "Yes, and lose it.", ("ask",)),
    Action("no", ("n",), "no", "No, and stay.", ("ask",)),
    # Everywhere
    Action("refresh", ("r",), "refresh", "Read again; the cursor stays on its item.", (*TABLES, DETAIL), footer=11),
    Action("auto", (".",), "auto", "Automatic refresh on and off.", (ITEMS, RUNS, RUN), footer=4),
    Action("command_line", (":",), "command", "Command line: :commands, :runs, :ledger, :ids, :q.", (SCREENS,)),
    Action("help", ("?", "f1"), "help", "Help of this screen, searchable.", (SCREENS,), footer=90),
    Action("palette", ("ctrl+p", "f2"), "palette", "Every action by name.", (SCREENS,), urgent=True),
    Action("back", ("escape",), "back", "One level back: end a filter, drop a range, close a screen.", (EVERYWHERE,)),
    Action("level_up", ("q",), "back", "One level back; at the top level quit.", (EVERYWHERE,)),
    Action("quit", ("Q", "ctrl+q"), "quit", "Quit. What runs goes on.", (EVERYWHERE,), footer=91, urgent=True),
    Action("next_field", ("tab",), "next field", "Go to the next field or list.", (EVERYWHERE,)),
    Action("previous_field", ("shift+tab",), "previous field", "Go to the field or list before.", (EVERYWHERE,)),
    Action("leave", ("ctrl+c",), "leave", "Leave a dialog or a run; the run goes on.", (EVERYWHERE,), urgent=True),
    Action("suspend", ("ctrl+z",), "suspend", "Back to the shell; fg returns.", (SCREENS,), urgent=True),
)

BY_ID = {action.id: action for action in ACTIONS}
