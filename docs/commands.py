"""Writes docs/cli.md, docs/exit-codes.md and docs/settings.md: `python docs/commands.py`. A test compares them."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tui_app import bootstrap
from tui_app.cli.exits import BY_CODE, PRECEDENCE, Exit
from tui_app.cli.grammar import build
from tui_app.cli.parser import common
from tui_app.config.profiles import Config, Profile, settings_of

FOLDER = Path(__file__).parent

CLI = """# Command line

Made from `tui_app/cli/grammar.py` by `python docs/commands.py`; change it there.

What the screens do, for scripts and for screen readers: the same client, the same guards, the same engine. Data goes
to stdout and talk to stderr; there is no prompt without a terminal. `--output` prints data as a table, as `json` with a
`schema` field, as `jsonl` with one object a line, or as `csv` with cells that no spreadsheet calculates. With JSON,
errors go to stderr as `{"schema": "quash.error.v1", "code", "message", "hint", "details"}`, and what a script has to
learn beside its data as `{"schema": "quash.notice.v1", "message"}`. How each command ends is in
[exit-codes.md](exit-codes.md), where it works in [settings.md](settings.md).

A filter is terms joined by AND: `field:value`, `field:a,b` for any of them, `field>value` and its kin, dates in
ISO 8601, free text; `!` in front negates, quotes keep spaces.

A file of ids has one id a line, or for the system `all` one `system<TAB>id` a line. Blank lines and lines that begin
with `#` are passed over, and what is named twice counts once. A line that cannot be is told by its number, and nothing
is planned.

Nothing is cancelled or reinstated without a reason and a confirmation: on a terminal the words that `cancel`, `apply`,
`runs retry` and `runs undo` ask for, elsewhere `--yes` together with `--expect-count`. The plan is told first, on
stderr: what it will do, what is due when, what cannot be undone, and the text that people read who are notified.

`scanner` and `publisher` print what they do as they do it: a line, an object or a row for each queueing and for each
post. As one `json` document they print the numbers at their end.
"""

EXITS = """# Exit codes

Made from `tui_app/cli/exits.py` by `python docs/commands.py`; change it there.

`apply`, `cancel`, `runs resume`, `runs retry` and `runs undo` wait for their run and exit by what became of it; with
`--detach` they exit 0. `runs RUN` exits 0 whatever became of the run. `plan` exits 1 where an id was not found, and
`ledger verify` where the ledger has no entry: nothing is proven by that. `serve`
ends with 130, since it is interrupted; `scanner` and `publisher` end with 0 when they are, since that is how they end.

A run that is confirmed goes on whether it is watched or not. One lost answer ends no wait: the verb says so, and looks
again for 60 seconds, or until `--timeout` where that is sooner. Then it ends with 4, never with 3. Where no answer
comes to the confirmation itself it ends with 8, and `runs` says whether there is a run.

What was cancelled is verified afterwards, by the system's status and audit. One item that is `not_known` there is
enough for 8: its status or its audit could not be read, or does not tell what became of it. Where a server keeps no
audit at all, the status alone verifies, and such a run ends with 0. `quash runs verify RUN` looks again.
"""

SETTINGS = """# Settings

Made from `tui_app/config/profiles.py` by `python docs/commands.py`; change it there.

Profiles stand in `config.toml`, in the configuration folder of the user (`~/.config/quash` on Linux). That file may
be missing or empty: then there is one profile, `local`, with every system embedded. A file that `--config` or
`QUASH_CONFIG` names has to be there. An unknown key is an
error, and so is a file that everybody may write. A system that a profile does not name is not there. A flag comes
before the environment, and the environment before the file. State is for its owner only: folders 0700, files 0600.

```toml
default_profile = "prod"

[profiles.prod]
environment = "production"
operator = "jane@example.com"
cap = 5000

[profiles.prod.commands]
url = "postgresql://quash@db.example.com/bus"

[profiles.far]
service = "https://quash.example.com"
token_command = ["vault", "read", "-field=token", "secret/quash"]
```
"""

VARIABLES = {
    "QUASH_CONFIG": "the configuration file (`--config`)",
    "QUASH_DATA": "the state folder (`--data`); default: `~/.local/state/quash` on Linux",
    "QUASH_PROFILE": "the profile to work on (`--profile`)",
    "QUASH_OPERATOR": "who acts, in the ledger and in every trail (`--operator`); not where a service is named",
    "QUASH_SERVICE_TOKEN": "the token of a profile with a `service`, without `token_command` and `token_file`",
    "QUASH_CASES_TOKEN": "that of cases over HTTP, where neither `token_command` nor `token_file` is set",
    "QUASH_SCHEDULES_TOKEN": "that of schedules over HTTP, likewise",
    "SSL_CERT_FILE": "OpenSSL's own: certificates to trust in place of the system's; `ca_file` stands beside either",
    "SSL_CERT_DIR": "the same, a folder of them",
}
VARIABLES_HEAD = "## Environment\n\nA token is never an argument: others would read it in the list of processes.\n"


def cli_text() -> str:
    """The page of the command line."""
    options = [_option(one) for one in common()._actions]
    every = ["## Options of every verb\n", "They stand before the verb or after it.\n", *_table("option", options)]
    parts = [CLI, "\n".join(every) + "\n"]
    for name, told, parser in _verbs(build(), "quash"):
        rows = [_option(one) for one in parser._actions if _own(one)]
        parts.append("\n".join([f"## `{name}`\n", f"{_sentence(told)}\n", *_table("argument", rows)]).rstrip() + "\n")
    return "\n".join(parts)


def _verbs(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for verb, child in action.choices.items():
                yield f"{name} {verb}", helps[verb], child
                yield from _verbs(child, f"{name} {verb}")


def _own(action: argparse.Action) -> bool:
    shared = {one.dest for one in common()._actions} | {"help"}
    return action.dest not in shared and not isinstance(action, argparse._SubParsersAction)


def _option(action: argparse.Action) -> tuple[str, str]:
    value = str(action.metavar or "")
    names = [f"{name} {value}".strip() for name in action.option_strings] or [value]
    return ", ".join(f"`{name}`" for name in names), action.help or ""


def _table(title: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    return [f"| {title} | what it does |", "|---|---|", *(f"| {left} | {_cell(right)} |" for left, right in rows)]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<TAB>", "`<TAB>`")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def exits_text() -> str:
    """The page of the exit codes."""
    rows = [f"| {int(one)} | {one.told} | {_errors(one)} |" for one in Exit]
    order = ", ".join(str(int(one)) for one in PRECEDENCE)
    told = f"\nWhere several of these apply to a run, it is the first of {order}.\n"
    return "\n".join([EXITS, "| code | meaning | errors that end so |", "|---|---|---|", *rows]) + "\n" + told


def _errors(code: Exit) -> str:
    return ", ".join(f"`{name}`" for name, ends in BY_CODE.items() if ends is code)


def settings_text() -> str:
    """The page of the settings."""
    parts = [SETTINGS, "\n".join([VARIABLES_HEAD, "| variable | what it names |", "|---|---|", *_variables()]) + "\n"]
    parts.append(_section("The file as a whole", Config))
    parts.append('`[keys]` gives actions of the console other keys: `mark = "space insert"`; see [keys.md](keys.md).\n')
    parts.append(_section("`[profiles.NAME]`", Profile))
    for name, kind in bootstrap.kinds().items():
        parts.append(_section(f"`[profiles.NAME.{name}]`", kind))
    return "\n".join(parts)


def _variables() -> list[str]:
    return [f"| `{name}` | {told} |" for name, told in VARIABLES.items()]


def _section(title: str, kind: type[Any]) -> str:
    rows = [f"| `{name}` | {key.doc} | `{key.example}` |" for name, key in settings_of(kind).items()]
    lines = [f"## {title}\n", "| key | meaning | for example |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


PAGES = {"cli.md": cli_text, "exit-codes.md": exits_text, "settings.md": settings_text}


if __name__ == "__main__":
    for page, text in PAGES.items():
        (FOLDER / page).write_text(text(), encoding="utf-8")
