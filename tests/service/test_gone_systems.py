"""Routes of plans and runs whose system has left the profile: each answers, and none with an error of ours."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.backend import WAYS, Service, Way, serving
from support.gone import GONE, Left, without_cases


@pytest.fixture(params=WAYS)
async def left(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Service, Left]]:
    way: Way = request.param
    made = await without_cases(tmp_path)
    async with serving(way, tmp_path, world=made.world) as service:
        yield service, made


async def test_every_route_of_a_plan_or_run_answers_without_its_system(left: tuple[Service, Left]) -> None:
    service, made = left
    async with service.raw() as http:
        for path in ("plans", "runs", "ledger"):
            assert (await http.get(f"/v1/{path}")).status_code == 200, path
        for path in (f"plans/{made.plan}", f"plans/{made.half}", f"runs/{made.over}", f"runs/{made.waiting}"):
            answer = await http.get(f"/v1/{path}")
            assert (answer.status_code, answer.json()["missing"]) == (200, ["cases"]), path
            assert (await http.get(f"/v1/{path}/items")).status_code == 200, path
        assert (await http.get(f"/v1/plans/{made.plan}?arrived=true")).json()["arrived"] is None
        assert (await http.get(f"/v1/plans/{made.plan}/file")).status_code == 200
        assert (await http.post(f"/v1/plans/{made.plan}/check")).status_code == 202
        assert (await http.post(f"/v1/plans/{made.half}/resume")).status_code == 202
        await made.world.planner.idle()
        assert GONE in (await http.get(f"/v1/plans/{made.plan}")).json()["drift"]["error"]
        failed = (await http.get(f"/v1/plans/{made.half}")).json()
        assert (failed["state"], GONE in failed["error"]) == ("failed", True)
        for path in (f"{made.over}/verify", f"{made.over}/undo", f"{made.waiting}/resume"):
            body = {"take_over": True, "accept_target": True} if path.endswith("resume") else None
            answer = await http.post(f"/v1/runs/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "USAGE"), answer.text
            assert GONE in answer.text
        plan = (await http.get(f"/v1/plans/{made.plan}")).json()
        body = {"hash": plan["hash"], "reason": "duplicate request", "expect_count": plan["counts"]["items"]}
        answer = await http.post(f"/v1/plans/{made.plan}/runs", json=body, headers={"Idempotency-Key": "k-1"})
        assert (answer.status_code, GONE in answer.text) == (409, True), answer.text
        for path, state in ((f"{made.waiting}/pause", "paused"), (f"{made.waiting}/stop", "stopped")):
            answer = await http.post(f"/v1/runs/{path}")
            assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text
        done = await service.work(made.other)
        assert (await http.get(f"/v1/runs/{done.id}")).json()["counts"]["cancelled"] == 3
    assert not (made.world.folder / "faults.log").exists()
