"""What the routes of the service stand on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tui_app.contract.principal import Principal
from tui_app.domain.errors import NotAllowed, NotFound
from tui_app.domain.ledger import Event
from tui_app.domain.moments import stamp
from tui_app.domain.ports import Clock, System
from tui_app.domain.rates import Rate
from tui_app.domain.records import Who
from tui_app.domain.stores import Launcher, Store

if TYPE_CHECKING:
    from tui_app.engine.heads import Heads
    from tui_app.engine.planning import Planner
    from tui_app.engine.steering import Steering
    from tui_app.service.auth import Authenticator
    from tui_app.service.native.dispatch import NativeService


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while a service runs.

    ``frozen``: the journal cannot be written, as on a read-only medium. ``store`` says in a word or two where journal
    and ledger are; ``rates`` how fast the systems that it names are sent to; ``id_patterns`` what their ids look like,
    where the profile says so.
    """

    profile: str
    environment: str
    host: str
    store: str
    read_only: bool = False
    frozen: bool = False
    cap: int | None = None
    rates: Mapping[str, Rate] = field(default_factory=dict)
    id_patterns: Mapping[str, str] = field(default_factory=dict)


class Closing(Protocol):
    """What is held until it is closed."""

    @property
    def close(self) -> Callable[[], object]:
        """Let it go."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Everything the routes need; the app that is made of it owns it, and closes it when it shuts down.

    ``who`` tells on whose behalf a principal acts, by its name. Without an ``authenticator`` only requests from inside
    this process are answered. ``fault_log`` is the file for defects of ours, made on first need, for its owner alone.
    ``heads`` keeps the heads of the ledger elsewhere. ``native`` are the systems' own routes, for a socket only.
    ``in_use`` keeps the folder of the profile from being thrown away until the backend is closed.
    """

    facts: Facts
    store: Store
    systems: Mapping[str, System]
    planner: Planner
    steering: Steering
    launcher: Launcher
    clock: Clock
    who: Callable[[str], Who]
    fault_log: Path
    heads: Heads
    authenticator: Authenticator | None = None
    native: NativeService | None = None
    in_use: Closing | None = None

    def system(self, name: str) -> System:
        """One system.

        Raises:
            NotFound: there is none of that name.
        """
        found = self.systems.get(name)
        if found is None:
            here = ", ".join(sorted(self.systems)) or "none"
            raise NotFound(f"there is no system {name!r} here", hint=f"Systems here: {here}.")
        return found

    async def permit(self, principal: Principal, needed: str, what: str) -> None:
        """Refuse, and record, ``what`` a principal may not do without the permission ``needed``.

        Raises:
            NotAllowed: naming the permission.
        """
        if principal.may(needed):
            return
        await self.record_refusal(principal.name, what, NotAllowed.code)
        raise NotAllowed(
            f"{principal.name} may not do this: the token has no permission {needed!r}",
            hint=f"`quash token --permission {needed}` makes one for a local service.",
            permission=needed,
        )

    async def record_refusal(self, name: str, what: str, code: str) -> None:
        """Write into the ledger that somebody wanted ``what`` they may not do."""
        facts = {"at": stamp(self.clock.now()), "code": code, "what": what}
        await self.store.ledger.append(Event.REFUSED, {**asdict(self.who(name)), **facts})

    async def close(self) -> None:
        """End what is being planned, then give back files and connections."""
        await self.planner.close()
        if self.native is not None:
            await self.native.close()
        for system in self.systems.values():
            await system.close()
        await self.store.close()
        if self.in_use is not None:
            self.in_use.close()
