"""Cancelling one command from Python, under the names that the command bus gave this operation.

```python
queue = TroubleshootingQueue(store)
await queue.operator_cancel(domain="payments", command_id="abc-123", reason="Invalid account")
```

It is one order through the same guarded write as a run, so that whoever calls it has the same guarantees.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any
from uuid import UUID, uuid4

from tui_app.domain.describe import Verb
from tui_app.domain.errors import Busy, Conflict, NotFound, OutcomeUnknown
from tui_app.domain.plan import Options
from tui_app.domain.ports import Deferred, KeepsWords, System
from tui_app.domain.reasons import check_reason
from tui_app.domain.rollback import RolledBack
from tui_app.domain.run import Answer, Errand, ItemState, Order
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.commands.rules import join_id, split_id

ATTEMPTS = 5
"""How often a command that changes between reading and writing is read again."""


class InvalidOperationError(Conflict):
    """The command cannot be cancelled as it stands; nothing was changed. It names the command, where it is of one."""

    def __init__(self, message: str, *, domain: str = "", command_id: str = "", **details: Any) -> None:
        super().__init__(message, **details)
        self.domain = domain
        self.command_id = command_id


class CommandNotFoundError(NotFound):
    """There is no such command."""

    def __init__(self, domain: str, command_id: str) -> None:
        super().__init__(f"there is no command {join_id(domain, command_id)}")
        self.domain = domain
        self.command_id = command_id


class TroubleshootingQueue:
    """The troubleshooting queue of a command bus, on any store of commands: embedded or PostgreSQL."""

    def __init__(self, store: System) -> None:
        self._store = store

    async def operator_cancel(
        self, domain: str, command_id: UUID | str, reason: str, operator: str | None = None, *, again: bool = False
    ) -> None:
        """Cancel a command that is in troubleshooting: status, one reply to its sender, one audit event.

        ``again``: also where it was cancelled before and came back, so that its sender gets a second reply.

        Raises:
            InvalidReason: no reason, fewer than 3 or more than 500 characters, or some that the store cannot keep.
            UsageProblem: the store cannot keep the name of the operator.
            MalformedId: this cannot be the id of a command.
            CommandNotFoundError: there is none.
            InvalidOperationError: it is not in troubleshooting, its reply queue cannot be sent to, or it was cancelled
                before, and ``again`` was not said.
            Busy: it kept changing while we tried.
            Unavailable: the store does not answer; nothing happened.
            OutcomeUnknown: the store stopped answering while it was told, and again when it was asked.
            RolledBack: an error of ours ended it; nothing was done.
        """
        checked = check_reason(reason)
        store: object = self._store
        if isinstance(store, KeepsWords):
            await store.check_words(operator or "", checked)
        errand = Errand(f"direct-{token_hex(8)}", 0, Verb.CANCEL, operator or "", checked, Options(), again=again)
        item_id = self._store.check_id(join_id(domain, str(command_id)))
        key = str(uuid4())
        for _ in range(ATTEMPTS):
            answer = await self._try(item_id, key, errand)
            if answer.state is ItemState.CANCELLED:
                return
            if answer.state is not ItemState.SKIPPED:
                raise _refusal(item_id, answer)
        raise Busy(f"command {item_id} changed {ATTEMPTS} times while it was being cancelled; nothing was done")

    async def _try(self, item_id: str, key: str, errand: Errand) -> Answer:
        [seen] = await self._store.survey([item_id])
        if seen.verdict.needs_again and not errand.again:
            raise _invalid(item_id, seen.verdict.reason or "it was cancelled before", code=seen.verdict.code)
        orders = [Order(item_id, key, seen)]
        try:
            [reply] = await self._store.execute(orders, errand)
        except OutcomeUnknown:
            [reply] = await self._store.reconcile(orders, errand)
        except RolledBack as error:
            if error.said is None:
                raise
            return Answer(ItemState.REFUSED, error.code, error.said, before=seen.status, after=seen.status)
        if isinstance(reply, Answer):
            return reply
        if isinstance(reply, Deferred):
            raise Busy(f"the turn of command {item_id} did not come; nothing was done")
        raise reply


def _refusal(item_id: str, answer: Answer) -> InvalidOperationError | CommandNotFoundError:
    if answer.code == VerdictCode.NOT_FOUND:
        return CommandNotFoundError(*split_id(item_id))
    if answer.state is ItemState.ALREADY_CANCELLED:
        return _invalid(item_id, "it is already cancelled")
    return _invalid(item_id, answer.message or "it cannot be cancelled", code=answer.code, status=answer.after)


def _invalid(item_id: str, why: str, **details: Any) -> InvalidOperationError:
    domain, command_id = split_id(item_id)
    return InvalidOperationError(f"command {item_id}: {why}", domain=domain, command_id=command_id, **details)
