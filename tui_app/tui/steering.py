"""What can be done to a run, wherever one is shown: pause, resume, stop, retry, undo, verify, export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui_app.domain.errors import NeedsTakeover, TargetChanged
from tui_app.tui.exporting import export
from tui_app.tui.screens.choose import Choose
from tui_app.tui.text import counted, phrase, safe
from tui_app.tui.undoing import closed

if TYPE_CHECKING:
    from textual.content import Content

    from tui_app.contract.runs import RunModel
    from tui_app.tui.screens.base import QuashScreen


class Steering:
    """The actions on the run that a screen shows or has its cursor on; ``changed`` is told what became of it."""

    def __init__(
        self, screen: QuashScreen[Any], run: Callable[[], RunModel | None], changed: Callable[[RunModel], None]
    ) -> None:
        self._screen, self._run, self._changed = screen, run, changed

    def facts(self) -> dict[str, Any]:
        """What the registry has to know of the run."""
        run = self._run()
        if run is None:
            return {}
        return {
            "run": run.state,
            "wanted": "stop" if run.wanted == "stopped" else run.wanted,
            "attended": run.attended,
            "retriable": run.retriable if run.over else 0,
            "undo": run.undo.items if run.undo else 0,
            "undo_closed": closed(run, self._screen.quash.clock()),
            "done": run.counts.get("cancelled", 0) + run.counts.get("reinstated", 0),
        }

    def act_pause(self) -> None:
        run = self._run()
        if run is not None:
            waits = run.state == "paused" or run.wanted == "paused" or not run.attended
            if waits:
                self._screen.quash.open_later(self._resume(run))
            else:
                self._screen.start(self._pause(run), group="steer")

    def act_stop(self) -> None:
        run = self._run()
        if run is not None:
            self._screen.quash.open_later(self._stop(run))

    def act_retry(self) -> None:
        from tui_app.tui.path import retry_path

        run = self._run()
        if run is not None:
            self._screen.quash.open_later(retry_path(self._screen.quash, run.id))

    def act_undo(self) -> None:
        from tui_app.tui.path import undo_path

        run = self._run()
        if run is not None:
            self._screen.quash.open_later(undo_path(self._screen.quash, run.id))

    def act_verify(self) -> None:
        run = self._run()
        if run is not None:
            self._screen.start(self._verify(run), group="steer")

    def act_export(self) -> None:
        run = self._run()
        if run is not None:
            self._screen.quash.open_later(self._export(run))

    async def _pause(self, run: RunModel) -> None:
        self._changed(await self._screen.client.runs.pause(run.id))
        self._screen.quash.say(phrase("It pauses after what is being sent."))

    async def _resume(self, run: RunModel) -> None:
        runs, take_over, accept_target = self._screen.client.runs, False, False
        while True:
            try:
                resumed = await runs.resume(run.id, take_over=take_over, accept_target=accept_target)
            except NeedsTakeover as error:
                yes = "Take it over: from here on it acts on your behalf, and the ledger records it"
                if take_over or not await self._sure(safe(error.message), "Leave it to its operator", yes):
                    return
                take_over = True
            except TargetChanged as error:
                yes = "The change is meant: go on with the system as it is now"
                if accept_target or not await self._sure(safe(error.message), "Leave it paused", yes):
                    return
                accept_target = True
            else:
                self._changed(resumed)
                return

    async def _stop(self, run: RunModel) -> None:
        left = run.counts.get("pending", 0)
        still = counted(left, "item is", "items are")
        title = phrase("Stop run {} for good? {} left; what is not sent yet is skipped.", run.id[:8], still)
        if await self._sure(title, "Let it go on", "Stop it"):
            self._changed(await self._screen.client.runs.stop(run.id))

    async def _verify(self, run: RunModel) -> None:
        self._screen.quash.say(phrase("Verifying: the status and the trail of each item are read."))
        verified = await self._screen.client.runs.verify(run.id)
        self._changed(verified)
        told = verified.verified
        said = phrase("Verified: {} yes, {} contradicted, {} not known.", told.yes, told.contradicted, told.not_known)
        if told.undone:
            said = phrase("{} {} undone since by a run of this journal.", said, told.undone)
        self._screen.quash.say(said, "warning" if told.contradicted or told.not_known else "info")

    async def _export(self, run: RunModel) -> None:
        async def write(path: Path) -> Path:
            from tui_app.client.export import export_run

            return await export_run(self._screen.client, run.id, path)

        await export(self._screen.quash, f"quash-run-{run.id[:8]}.md", write)

    async def _sure(self, title: Content, no: str, yes: str) -> bool:
        # The safe answer stands first, so that enter pressed in a hurry changes nothing.
        return await self._screen.app.push_screen_wait(Choose(title, [no, yes])) == yes
