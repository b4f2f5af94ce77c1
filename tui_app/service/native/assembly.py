"""From the systems of a profile to their native routes: which module has them, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from tui_app.domain.ports import Clock, System
from tui_app.service.native.dispatch import NativeService
from tui_app.service.native.idempotency import Answers

NATIVE: Mapping[str, str] = {
    "cases": "tui_app.service.native.cases",
    "schedules": "tui_app.service.native.schedules",
}
"""The modules with the native routes of the systems that have a desk. Each has ``api(desk, settings) -> NativeApi``."""


def assemble(
    systems: Mapping[str, System], settings: Mapping[str, object], keys: Path, clock: Clock, *, read_only: bool
) -> NativeService:
    """The native routes of every system that has a ``desk``, each with its table of the profile.

    ``keys`` is the file for idempotency keys; it is made with the first of them.
    """
    apis = []
    for name, system in systems.items():
        desk = getattr(system, "desk", None)
        if desk is not None:
            apis.append(import_module(NATIVE[name]).api(desk, settings[name]))
    return NativeService(apis, Answers(keys), clock, read_only=read_only)
