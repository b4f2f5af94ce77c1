"""On whose authority a request is made: what its token says, or the transport inside this process."""

from __future__ import annotations

from dataclasses import dataclass

OPERATE = "operate"
"""The permission to change something through ``/v1``: confirming, importing and resuming a plan, and steering a run,
with retry and undo, and reading the plan of somebody else again, which notes on it what moved. Looking, and planning
what one selects, need none."""

IN_PROCESS = "quash.principal"
"""Where a transport inside this process puts the principal: a key of the ASGI scope's ``extensions``, which no client
on a socket can reach."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what they may do. ``unlimited`` is the operator in process, who holds every permission."""

    name: str
    permissions: frozenset[str] = frozenset()
    service_account: bool = False
    unlimited: bool = False

    def may(self, permission: str) -> bool:
        """Whether this principal holds a permission."""
        return self.unlimited or permission in self.permissions
