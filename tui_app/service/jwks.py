"""Public keys of other issuers, from a JWKS file (RFC 7517): each for one algorithm, found by its exact name."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui_app.config.places import expanded
from tui_app.config.regular import opened
from tui_app.domain.errors import Unavailable, UsageProblem

log = logging.getLogger("quash.service")

RSA_BITS = 2048
"""An RSA key that is shorter is refused."""

LARGEST = 1024 * 1024

_ISSUERS = "It is a JWKS, as the issuer publishes it."

_SECRET = frozenset({"d", "k", "p", "q"})
"""Members of a key that no public one has."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key that verifies, and the one algorithm that a token signed with it may name."""

    algorithm: str
    key: Any


class JwksFile:
    """The keys in a file; read when this is made, and again whenever the file is another one.

    Raises:
        UsageProblem: it cannot be read, everybody may write it, or it holds no key that can be used.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = expanded(path)
        self._seen: tuple[int, ...] | None = None
        self._keys: Mapping[str, VerifyingKey] = {}
        self._wrong = ""
        self._read()

    def find(self, kid: str) -> VerifyingKey | None:
        """The key of this name.

        Raises:
            Unavailable: the file has changed, and cannot be used as it is now. What it held before is not believed
                any more: a key may have been taken out of it. What is wrong is in the log, once, and not in the error:
                nobody knows yet who asks.
        """
        try:
            self._read()
        except UsageProblem as error:
            if error.message != self._wrong:
                log.error("tokens of other issuers are not believed: %s", error)
            self._wrong = error.message
            raise Unavailable(
                "the keys of other issuers cannot be used now",
                hint="Whoever runs this service has to mend their file; its log says what is wrong with it.",
            ) from error
        if self._wrong:
            log.info("tokens of other issuers are believed again")
        self._wrong = ""
        return self._keys.get(kid)

    def _read(self) -> None:
        try:
            with opened(self._path) as (file, facts):
                mark = _mark(facts)
                if mark == self._seen:
                    return
                self._seen = None
                if facts.st_mode & stat.S_IWOTH:
                    raise UsageProblem(
                        f"everybody may write {self._path}, so anybody could sign", hint=f"chmod o-w {self._path}"
                    )
                content = file.read(LARGEST)
        except OSError as error:
            raise UsageProblem(
                f"{self._path} cannot be read: {error.strerror}", hint="jwks_file names the file."
            ) from error
        self._keys = _keys(content, self._path)
        self._seen = mark


def _mark(facts: os.stat_result) -> tuple[int, ...]:
    """What tells one content of a file from another. The time of its last change is nobody's to set back."""
    return (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def _keys(content: bytes, path: Path) -> Mapping[str, VerifyingKey]:
    """The keys of a file that can be used, by name. Each of the others is passed over, and said so in the log.

    Raises:
        UsageProblem: it is no set of keys, or none of them can be used.
    """
    try:
        listed = json.loads(content)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageProblem(f"{path} holds no set of keys", hint=_ISSUERS) from error
    if not isinstance(listed, list):
        raise UsageProblem(f"{path} holds no set of keys", hint=_ISSUERS)
    found: dict[str, list[tuple[Any, VerifyingKey]]] = {}
    for number, one in enumerate(listed, start=1):
        try:
            kid, key = _key(one)
        except _Unusable as why:
            log.warning("key %d of %s is passed over: %s", number, path, why)
            continue
        if all(one != other for other, _ in found.setdefault(kid, [])):
            found[kid].append((one, key))
    for kid, keys in found.items():
        if len(keys) > 1:
            log.warning("%d keys of %s are passed over: they share the kid %.80r", len(keys), path, kid)
    usable = {kid: keys[0][1] for kid, keys in found.items() if len(keys) == 1}
    if not usable:
        raise UsageProblem(
            f"{path} needs at least one key for RS256 or ES256 with a `kid` of its own",
            hint=f"{_ISSUERS} The log says why each of its keys is passed over.",
        )
    return usable


class _Unusable(Exception):
    """Why a key cannot verify anything here."""


def _key(one: Any) -> tuple[str, VerifyingKey]:
    """A key that can verify, with its name.

    Raises:
        _Unusable: it is meant for something else, has no name, is a secret one, or too weak, or no key at all.
    """
    import jwt

    if not isinstance(one, dict):
        raise _Unusable("it is no object")
    if _SECRET & one.keys():
        raise _Unusable("it is a secret one; leave public keys there, and replace this one")
    curve = one.get("crv") if one.get("kty") == "EC" else None
    algorithm = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}.get((str(one.get("kty")), _plain(curve)))
    if algorithm is None or one.get("alg") not in (None, algorithm):
        raise _Unusable("it is not for RS256 or ES256")
    uses = one.get("key_ops", ["verify"])
    if one.get("use") not in (None, "sig") or not isinstance(uses, list) or "verify" not in uses:
        raise _Unusable("it is not meant to verify signatures")
    kid = one.get("kid")
    if not isinstance(kid, str) or not kid:
        raise _Unusable("it has no kid")
    try:
        key = jwt.PyJWK(dict(one), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise _Unusable(f"it is none: {error}") from error
    if algorithm == "RS256" and key.key_size < RSA_BITS:
        raise _Unusable(f"an RSA key of {key.key_size} bits is too weak; {RSA_BITS} are the least")
    return kid, VerifyingKey(algorithm, key)


def _plain(curve: Any) -> str | None:
    return None if curve is None else str(curve)
