"""``profile``: what the configuration says, and whether what it names answers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tui_app import bootstrap
from tui_app.cli.exits import Exit
from tui_app.cli.output import Record
from tui_app.cli.table import Column
from tui_app.client.ledger_text import verdict
from tui_app.config.profiles import Profile, settings_of
from tui_app.config.setup import read_config

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.contract.models import About, CountModel, ProbeModel

COLUMNS = [
    Column("name", "Profile"),
    Column("default", "Default"),
    Column("environment", "Environment"),
    Column("read_only", "Read-only"),
    Column("where", "Where", 200, priority=0, flexible=True),
]
CHECKED = [
    Column("system", "System"),
    Column("recognised", "Recognised"),
    Column("items", "Items"),
    Column("exact", "Exact"),
    Column("token_until", "Token until", moment=True),
    Column("acts_as", "Token of"),
]


def list_profiles(call: Call) -> Exit:
    """Every profile of the file, also those that this version cannot open."""
    config = read_config(call.flags, os.environ, bootstrap.kinds())
    rows = [
        {
            "name": profile.name,
            "default": profile.name == config.default,
            "environment": profile.environment,
            "read_only": profile.read_only,
            "where": _where(profile),
        }
        for profile in config.profiles.values()
    ]
    call.output.rows("quash.profiles.v1", "profiles", rows, COLUMNS)
    return Exit.DONE


def _where(profile: Profile) -> str:
    if profile.service is not None:
        return str(profile.service)
    return ", ".join(f"{name}: {settings.url}" for name, settings in profile.systems.items())


def show_profile(call: Call) -> Exit:
    """What holds for the profile in use."""
    setup = call.setup
    facts = _facts(setup.profile)
    facts["systems"] = {name: _facts(settings) for name, settings in setup.profile.systems.items()}
    operator = None if setup.profile.remote else setup.operator
    facts = {"name": setup.profile.name, **facts, "operator": operator, "state": str(setup.rooms.folder)}
    shown = facts if operator else {**facts, "operator": "whom the token names"}
    call.output.one("quash.profile.v1", {"profile": facts}, lambda: _lines(shown))
    return Exit.DONE


def _facts(settings: Any) -> dict[str, Any]:
    """Settings in print: passwords in addresses print as stars."""
    return {
        key.name: _plain(getattr(settings, key.name))
        for key in dataclasses.fields(settings)
        if key.name in settings_of(type(settings))
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else str(value)


def _lines(facts: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        elif value is not None:
            yield f"{indent}{name}: {' '.join(value) if isinstance(value, list) else value}"


async def check_profile(call: Call) -> Exit:
    """Reach everything that the profile in use names, once.

    Raises:
        QuashError: what cannot be reached, or read.
    """
    if call.setup.profile.jwks_file is not None:
        from tui_app.service.jwks import JwksFile  # only who serves has such a file

        JwksFile(call.setup.profile.jwks_file)
    client = bootstrap.client(call.setup)
    try:
        about = await client.about()
        probes = {system.system: (await client.items.check(system.system)).probes for system in about.systems}
        counts = {name: await client.items.count(name) for name, asked in probes.items() if _recognised(asked)}
        check = await client.ledger.check()
        # Asked again: a token is read when it is first needed, and each system has been needed by now.
        about = await client.about(sign_in=True)
    finally:
        await client.close()
    around = {
        "profile": about.profile,
        "operator": about.operator,
        "ledger_holds": check.holds,
        "ledger": verdict(check),
        "credentials": [one.model_dump() for one in about.credentials],
    }
    call.output.rows(
        "quash.profile-check.v1", "systems", _checked(about, counts, probes), CHECKED, around=around, flat=_flat
    )
    others = [
        f"{one.system} is reached as {one.acts_as}"
        for one in about.credentials
        if one.acts_as not in (None, about.operator)
    ]
    for name, asked in probes.items():
        for one in asked:
            whose = "is its own answer" if one.recognised else "IS NOT RECOGNISED AS ITS OWN ANSWER"
            call.talk.say(f"{name}: asked {one.asked}; what came {whose}: {one.came}")
    strangers = [name for name, asked in probes.items() if not _recognised(asked)]
    answers = "answers" if not strangers else f"does not answer as {', '.join(strangers)}: see `url` in the profile"
    call.talk.say("; ".join([f"profile {about.profile} {answers}; you are {about.operator}", *others]))
    if strangers:
        return Exit.NO_ACCESS
    return Exit.DONE if check.holds else Exit.LEDGER


def _recognised(asked: Sequence[ProbeModel]) -> bool:
    return all(one.recognised for one in asked)


def _checked(
    about: About, counts: Mapping[str, CountModel], probes: Mapping[str, Sequence[ProbeModel]]
) -> list[Record]:
    """A row for each system in the order of the console, and one for a service whose token is another one."""
    until = {one.system: one.expires_at for one in about.credentials}
    whose = {one.system: one.acts_as for one in about.credentials}
    lists = {one.system: one.lists for one in about.systems}
    ours = bootstrap.names()
    there = sorted(probes, key=lambda name: ours.index(name) if name in ours else len(ours))
    return [
        {
            "system": name,
            "lists": lists.get(name),
            "recognised": _recognised(probes[name]) if name in probes else None,
            "items": counts[name].value if name in counts and lists.get(name) else None,
            "exact": counts[name].exact if name in counts and lists.get(name) else None,
            "probes": [one.model_dump() for one in probes.get(name, ())],
            "token_until": until.get(name),
            "acts_as": whose.get(name),
        }
        for name in (*there, *(other for other in until if other not in probes))
    ]


def _flat(row: Record) -> Record:
    flat = {name: value for name, value in row.items() if name != "probes"}
    return flat if row["lists"] is not False else {**flat, "items": "no list here"}
