"""The configuration file, read strictly: an unknown key is an error with a suggestion, never ignored."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from tui_app.config.places import Named
from tui_app.config.places import content as content_of
from tui_app.config.profiles import (
    DEFAULT_CAP,
    LOCAL,
    PROFILE_NAME,
    Config,
    Kinds,
    Profile,
    local,
    settings_of,
)
from tui_app.domain.errors import UsageProblem
from tui_app.domain.filters import nearest

T = TypeVar("T")

_REMOTE_ONLY = frozenset({"token_command", "token_file", "ca_file"})
_REMOTE = _REMOTE_ONLY | {"service", "environment"}


LARGEST = 1024 * 1024
"""Bytes of a configuration file at most."""


def load(file: Named, kinds: Kinds) -> Config:
    """The configuration in ``file``; where there is none, or an empty one, the profile ``local``.

    Raises:
        UsageProblem: everybody may write it, it cannot be read, or a key or a value makes no sense.
    """
    path = file.path
    try:
        mode = path.stat().st_mode
        content = content_of(path, LARGEST)
    except FileNotFoundError:
        content, mode = b"", 0
    except OSError as error:
        by = f"{file.by} names the file." if file.by else "It is the default file; name another one with --config."
        raise UsageProblem(f"{path} cannot be read: {error.strerror}", hint=by) from error
    if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
        raise UsageProblem(
            f"everybody may write {path}, so anybody could choose what is cancelled where",
            hint=f"chmod o-w {path}",
        )
    if not content.strip():
        return Config(MappingProxyType({LOCAL: local(kinds)}))
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageProblem(f"{path} is not valid TOML: {error}", hint="Mend the line that it names.") from error
    return _config(document, kinds, path)


def _config(document: Mapping[str, Any], kinds: Kinds, path: Path) -> Config:
    _check_keys(document, (*settings_of(Config), "profiles", "keys"), "", path)
    if "profiles" not in document:
        profiles = {LOCAL: local(kinds)}
    else:
        tables = _table(document["profiles"], "profiles", path)
        profiles = {name: _profile(name, table, kinds, path) for name, table in tables.items()}
        if not profiles:
            raise UsageProblem(f"{path}: [profiles] is empty", hint="Add [profiles.NAME].")
    known = _values(Config, document, "", path)
    default = known.get("default_profile")
    if default is not None and default not in profiles:
        hint = _suggestion(default, profiles) or f"Profiles: {', '.join(profiles)}."
        raise UsageProblem(f"{path}: default_profile names {default!r}, which is not there", hint=hint)
    return Config(MappingProxyType(profiles), keys=_keys(document.get("keys", {}), path), **known)


def _keys(value: Any, path: Path) -> Mapping[str, str]:
    """Only the console knows which actions there are; it refuses the others."""
    said = _table(value, "keys", path)
    for action, keys in said.items():
        if not isinstance(keys, str) or not keys.strip():
            hint = 'For example: review = "x", or several keys with spaces between them.'
            raise UsageProblem(f"{path}: keys.{action} is not a key", hint=hint)
    return MappingProxyType(dict(said))


def _profile(name: str, table: Any, kinds: Kinds, path: Path) -> Profile:
    where = f"profiles.{name}"
    if not PROFILE_NAME.fullmatch(name):
        raise UsageProblem(
            f"{path}: {name!r} cannot be a profile's name",
            hint="Use letters, digits, dot, hyphen and underscore.",
        )
    said = _table(table, where, path)
    _check_keys(said, (*settings_of(Profile), *kinds), where, path)
    found = _values(Profile, said, where, path)
    _check_remote(said, where, path)
    if "jwks_file" in said and "audience" not in said:
        raise UsageProblem(
            f"{path}: {where} has jwks_file without audience, so a token for any other service would do",
            hint="`audience` is what the issuer's tokens for quash have as `aud`.",
        )
    if "service" not in found:
        found.setdefault("environment", name)
        if name != LOCAL:
            found.setdefault("cap", DEFAULT_CAP)
    systems = {
        system: _system(kind, said[system], f"{where}.{system}", path)
        for system, kind in kinds.items()
        if system in said
    }
    return Profile(name, systems=MappingProxyType(systems), **found)


def _check_remote(said: Mapping[str, Any], where: str, path: Path) -> None:
    remote = "service" in said
    senseless = sorted(key for key in said if (key not in _REMOTE if remote else key in _REMOTE_ONLY))
    if not senseless:
        return
    key = senseless[0]
    if remote:
        raise UsageProblem(
            f"{path}: {where} has a service, so it cannot have {key!r}",
            hint="The service decides what is there, for whom, and within which limits.",
        )
    raise UsageProblem(f"{path}: {where} has {key!r} without a service", hint=f"Put it into [{where}.SYSTEM].")


def _system(kind: type[Any], table: Any, where: str, path: Path) -> Any:
    said = _table(table, where, path)
    _check_keys(said, settings_of(kind), where, path)
    return kind(**_values(kind, said, where, path))


def _values(kind: type[Any], said: Mapping[str, Any], where: str, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, setting in settings_of(kind).items():
        if name not in said:
            continue
        try:
            found[name] = setting.read(said[name])
        except ValueError as error:
            place = f"{where}.{name}" if where else name
            raise UsageProblem(f"{path}: {place} is not {error}", hint=f"For example: {setting.example}.") from error
    return found


def _table(value: Any, where: str, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageProblem(f"{path}: {where} is not a table", hint=f"Write [{where}] on a line of its own.")
    return value


def _check_keys(said: Mapping[str, Any], known: Collection[str], where: str, path: Path) -> None:
    for key in said:
        if key not in known:
            inside = f" in [{where}]" if where else ""
            hint = _suggestion(key, known) or f"Keys here: {', '.join(known)}."
            raise UsageProblem(f"{path}: unknown key {key!r}{inside}", hint=hint)


def _suggestion(word: str, known: Collection[str]) -> str:
    near = nearest(word, known)
    return f"Did you mean {near!r}?" if near else ""
