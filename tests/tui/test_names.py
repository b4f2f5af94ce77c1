"""A plan has one name, its id, in the console, the verbs, the ledger and the report; its hash is shown as its hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.backend import Service
from support.console import open_console, request
from tui_app.cli.telling import plan_lines, run_lines
from tui_app.client.export import export_run
from tui_app.contract.plans import PlanModel
from tui_app.contract.runs import RunModel, RunRequest
from tui_app.domain.plan import short
from tui_app.tui.path import open_review
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.screens.run import RunScreen


def nameless(text: str, plan_hash: str) -> list[str]:
    """Where a hash stands as if it were a name: without "hash" before it."""
    flat = " ".join(text.split())
    found = re.finditer(rf"(\S*)\W+({re.escape(short(plan_hash))}\w*)", flat)
    return [one.group(0) for one in found if one.group(1).strip('("') not in ("hash", '"hash', "plan_hash", "hash:")]


async def _applied(service: Service) -> tuple[PlanModel, RunModel]:
    plan = await service.client.plan(request(["payments/c000001"]))
    body = RunRequest(hash=plan.hash, reason="Bad deploy", expect_count=1)
    run = await service.client.run(plan.id, body, f"key-{plan.id}")
    await service.work(run.id)
    return plan, await service.client.runs.get(run.id)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_the_console_names_a_plan_by_its_id(backend: Service, size: tuple[int, int]) -> None:
    plan, run = await _applied(backend)
    other = await backend.client.plan(request(["payments/c000002"]))
    assert plan.hash is not None
    assert other.hash is not None
    async with open_console(backend, size) as operator:
        await operator.sees("Bad deploy")
        assert not nameless(operator.text, plan.hash)
        if size[0] > 100:
            await operator.sees(run.id)
        operator.app.push_screen(RunScreen(run.id))
        await operator.sees(f"plan {plan.id} (hash {short(plan.hash)})")
        assert not nameless(operator.text, plan.hash)
        await operator.press("q")
        open_review(operator.app, other)
        await operator.on(ReviewScreen)
        await operator.sees(f"Plan {other.id} (hash {short(other.hash)})")
        assert not nameless(operator.text, other.hash)
        await operator.press("escape", "5")
        await operator.sees(f"plan {plan.id[:4]}…" if size[0] < 100 else run.id)
        assert not nameless(operator.text, plan.hash)


async def test_verbs_and_report_name_a_plan_by_its_id(backend: Service, tmp_path: Path) -> None:
    plan, run = await _applied(backend)
    assert plan.hash is not None
    report = await export_run(backend.client, run.id, tmp_path / "report.md")
    for text in ("\n".join(plan_lines(plan)), "\n".join(run_lines(run)), report.read_text(encoding="utf-8")):
        assert plan.id in text
        assert not nameless(text, plan.hash), text


def test_a_hash_that_stands_for_a_name_is_found() -> None:
    named = "ab12cd34" + "0" * 56
    assert nameless("run r1 · plan ab12cd34 · 3 items", named)
    assert nameless(f"plan {named}", named)
    assert not nameless("run r1 · plan p1 (hash ab12cd34) · 3 items", named)
