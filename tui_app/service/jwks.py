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

from tui_app.config.regular import opened
from tui_app.domain.errors import Unavailable, UsageProblem

log = logging.getLogger("quash.service")

RSA_BITS = 2048
"""An RSA key that is shorter is refused."""

LARGEST = 1024 * 1024

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
        UsageProblem: it cannot be read, everybody may write it, or it holds no keys, one twice or a secret one.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path).expanduser()
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
    try:
        listed = json.loads(content)["keys"]
        found = [(str(one.get("kid") or ""), key) for one in listed if (key := _key(one, path)) is not None]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageProblem(f"{path} holds no set of keys", hint="It is a JWKS, as the issuer publishes it.") from error
    names = [kid for kid, _ in found]
    if not found or "" in names or len(set(names)) < len(names):
        raise UsageProblem(
            f"{path} needs at least one key for RS256 or ES256, each with a `kid` of its own",
            hint="It is a JWKS, as the issuer publishes it.",
        )
    return dict(found)


def _key(one: Mapping[str, Any], path: Path) -> VerifyingKey | None:
    """A key that can verify; nothing for one that is meant for something else.

    Raises:
        UsageProblem: it is a secret one, or too weak.
    """
    import jwt

    if _SECRET & one.keys():
        raise UsageProblem(f"{path} holds a secret key", hint="Leave public keys there, and replace this one.")
    curve = one.get("crv") if one.get("kty") == "EC" else None
    algorithm = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}.get((str(one.get("kty")), curve))
    meant = one.get("use") in (None, "sig") and "verify" in one.get("key_ops", ["verify"])
    if algorithm is None or one.get("alg") not in (None, algorithm) or not meant:
        return None
    try:
        key = jwt.PyJWK(dict(one), algorithm).key
    except jwt.PyJWTError as error:
        raise UsageProblem(f"{path} holds a key that is none: {error}") from error
    if algorithm == "RS256" and key.key_size < RSA_BITS:
        raise UsageProblem(f"{path} holds an RSA key of {key.key_size} bits", hint=f"{RSA_BITS} are the least.")
    return VerifyingKey(algorithm, key)
