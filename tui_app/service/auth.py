"""Who asks: the principal that the transport in process names, or the token of a request on a socket.

Tokens are JSON Web Tokens. Each key is for one algorithm, HS256 for ours, RS256 or ES256 for those of other issuers,
and no token chooses another, so that a key is never taken for something it is not.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.types import Scope

from tui_app.contract.principal import IN_PROCESS, Principal
from tui_app.domain.errors import CannotConnect, NotSignedIn, UsageProblem
from tui_app.domain.foreign_json import parse
from tui_app.domain.moments import known_epoch
from tui_app.domain.names import NAME_HINT, flaw_of
from tui_app.service.jwks import JwksFile, VerifyingKey

ALGORITHM = "HS256"
KEY_BYTES = 32
LEEWAY = timedelta(seconds=30)
"""How far clocks may differ."""

LONGEST_TOKEN = 8 * 1024
TTL = timedelta(hours=8)


PROVEN = "quash.proven"
"""Where a connection puts what is to be called once a token of one of its requests holds, with the principal's name: a
key of the ASGI scope's ``extensions``."""


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Checks tokens. ``keys`` are found by the token's ``kid`` and nothing else; a token without one means ``""``.

    Where ``audience`` or ``issuer`` is set, a token has to name it. ``jwks`` holds the keys of other issuers.
    """

    keys: Mapping[str, bytes]
    audience: str | None = None
    issuer: str | None = None
    jwks: JwksFile | None = None

    def principal(self, scope: Scope) -> Principal:
        """Who sent this request.

        Raises:
            NotSignedIn: there is no token, or it does not hold; the sentence says why.
        """
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            raise NotSignedIn(
                "this request needs a token" if not given else "this request has two Authorization headers"
            )
        scheme, _, token = given[0].decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotSignedIn("this request needs a token: `Authorization: Bearer …`")
        return self.read(token.strip())

    def read(self, token: str) -> Principal:
        """The principal of a token.

        Raises:
            NotSignedIn: it is malformed, expired, not yet valid, or signed with another key or algorithm.
            Unavailable: the keys of other issuers cannot be read now.
        """
        import jwt  # an embedded console never needs it

        if len(token) > LONGEST_TOKEN:
            raise NotSignedIn("this token is too long")
        _check_parts(token)
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid", ""))
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY,
                options={"require": ["exp"], "verify_aud": self.audience is not None},
            )
        except jwt.ExpiredSignatureError as error:
            raise NotSignedIn("this token has expired") from error
        except jwt.PyJWTError as error:
            raise NotSignedIn(f"this token does not hold: {_words(error)}") from error
        return _principal(claims)

    def _key(self, kid: Any) -> VerifyingKey:
        own = self.keys.get(kid) if isinstance(kid, str) else None
        if own is not None:
            return VerifyingKey(ALGORITHM, own)
        found = self.jwks.find(kid) if self.jwks is not None and isinstance(kid, str) and kid else None
        if found is None:
            raise NotSignedIn("this token names a key that this service does not have")
        return found


def _check_parts(token: str) -> None:
    """Refuse a token whose parts the library could not read without a fault, before anything of it is believed.

    Raises:
        NotSignedIn: a part is no JSON within its limits, or a time in it is no moment.
    """
    for part in token.split(".")[:2]:
        try:
            told = parse(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), strict=True)
        except ValueError as error:
            raise NotSignedIn("this token does not hold: a part of it is no JSON that can be read") from error
        times = [name for name in ("exp", "nbf", "iat") if isinstance(told, dict) and name in told]
        for name in times:
            if known_epoch(told[name]) is None:
                raise NotSignedIn(f"this token does not hold: its {name} is no moment")


def _words(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:120]


def _principal(claims: Mapping[str, Any]) -> Principal:
    # One that is there has to hold: a name that is none must not become somebody else's.
    named = claims.get("principal_id")
    name = claims.get("sub") if named is None else named
    if not isinstance(name, str):
        raise NotSignedIn("this token names nobody: it needs principal_id or sub")
    if flaw := flaw_of(name):
        raise NotSignedIn(f"this token names nobody: the name in it {flaw}")
    permissions = claims.get("permissions", [])
    if not isinstance(permissions, list) or not all(isinstance(one, str) for one in permissions):
        raise NotSignedIn("this token's permissions are not a list of names")
    return Principal(name, frozenset(permissions), service_account=claims.get("service_account") is True)


def principal_of(scope: Scope, authenticator: Authenticator | None) -> Principal:
    """Who asks. An app with an authenticator believes tokens only, one without believes only its own process.

    Raises:
        NotSignedIn: nobody that is known.
    """
    if authenticator is not None:
        return authenticator.principal(scope)
    named = scope.get("extensions", {}).get(IN_PROCESS)
    if not isinstance(named, Principal):
        raise NotSignedIn("this service answers only inside its own process", hint="Start it with `quash serve`.")
    return named


def issue_token(
    key: bytes,
    user: str,
    *,
    now: datetime,
    permissions: Collection[str] = (),
    service_account: bool = False,
    ttl: timedelta = TTL,
    audience: str | None = None,
    issuer: str | None = None,
) -> str:
    """A token for a service that has this key.

    Raises:
        UsageProblem: the user has no name, or the token would never be valid.
    """
    import jwt

    if flaw := flaw_of(user):
        raise UsageProblem(f"a token needs the name of a user, and the one that --user gives {flaw}", hint=NAME_HINT)
    if ttl <= timedelta(0):
        raise UsageProblem("a token has to live for a while", hint="Give --ttl in seconds, above 0.")
    claims: dict[str, Any] = {
        "sub": user,
        "principal_id": user,
        "permissions": sorted(permissions),
        "service_account": service_account,
        "iat": int(now.timestamp()),
        "exp": int((now + ttl).timestamp()),
    }
    named = {"aud": audience, "iss": issuer}
    return jwt.encode(claims | {name: value for name, value in named.items() if value}, key, ALGORITHM)


def signing_key(path: Path) -> bytes:
    """The key of the services on this host, made on first need, for its owner alone.

    Raises:
        CannotConnect: the file cannot be read or made, others may read it, or it holds no key.
    """
    try:
        if not path.exists():
            _place(path, secrets.token_hex(KEY_BYTES).encode(), replace=False)
        key = bytes.fromhex(_private(path).decode("ascii").strip())
    except OSError as error:
        raise CannotConnect(
            f"the key {path} cannot be used: {error.strerror}", hint="Check the file and its owner."
        ) from error
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise CannotConnect(f"{path} holds no key", hint="Remove it; a new one is made, and old tokens end.")
    return key


def keep_token(path: Path, token: str) -> Path:
    """Leave a token where its owner alone can read it.

    Raises:
        CannotConnect: it cannot be written.
    """
    try:
        _place(path, token.encode() + b"\n", replace=True)
    except OSError as error:
        raise CannotConnect(
            f"the token cannot be left at {path}: {error.strerror}", hint="Check the folder and its owner."
        ) from error
    return path


def _private(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if stat.S_IMODE(facts.st_mode) & 0o077 or facts.st_uid != os.getuid():
            raise CannotConnect(
                f"{path} can be read by others", hint=f"chmod 600 {path}; if in doubt remove it, and old tokens end."
            )
        return file.read(4096)


def _place(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file whole or not at all; of two that make it at once, one wins and both read the same."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if replace:
            draft.replace(path)
            return
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
