"""Schedules on PostgreSQL and RabbitMQ from the outside: verbs on a profile that names both, and native routes."""

import asyncio
import json
import os
import sys
from dataclasses import replace

import httpx
import psycopg
import pytest

from support.backend import KEY, listening, make_backend, token
from support.schedule_service import own_queue, schedule_database
from support.schedules_bench import OWNER
from support.world import make_world
from tui_app.service.app import create_app
from tui_app.service.auth import Authenticator
from tui_app.service.native.assembly import assemble
from tui_app.systems.schedules.plug import SchedulesSettings
from tui_app.systems.schedules.postgres import PostgresSchedules

ALL = "/api/v1/schedules"
SOON = "2099-01-01T09:00:00Z"
MISSING = "00000000-0000-4000-8000-0000000000ff"


@pytest.fixture
def profile(there, tmp_path):
    """Writes the profile, with what is said of the broker; the way to run quash on it."""
    return profile_on(there.url, tmp_path)


def profile_on(conninfo, tmp_path):
    """Writes a profile on a database; the way to run quash on it."""
    parts = psycopg.conninfo.conninfo_to_dict(conninfo)
    password = f":{parts['password']}" if parts.get("password") else ""
    url = f"postgresql://{parts['user']}{password}@{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}"

    def make(*, read_only=False, **more):
        config = tmp_path / "config.toml"
        around = ["[profiles.posts]", "read_only = true"] if read_only else []
        lines = [f"{key} = {json.dumps(value)}" for key, value in {"url": url, **more}.items()]
        config.write_text("\n".join([*around, "[profiles.posts.schedules]", *lines, ""]), encoding="utf-8")
        environment = {**os.environ, "QUASH_CONFIG": str(config), "QUASH_DATA": str(tmp_path / "data")}
        environment |= {"QUASH_OPERATOR": "jane@example.com", "PYTHONPATH": os.pathsep.join(sys.path)}

        async def quash(*words):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tui_app",
                *words,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await asyncio.wait_for(process.communicate(), 60)
            return process.returncode, out.decode(), err.decode()

        return quash

    return make


async def test_scanner_and_publisher_do_the_work_of_the_service(there, amqp_url, profile):
    await there.add(5)
    async with own_queue(amqp_url) as name:
        quash = profile(amqp=amqp_url, queue=name)
        code, out, err = await quash("scanner", "--once", "--output", "json")
        assert (code, json.loads(out)["done"]) == (0, {"queued": 5}), err
        code, out, err = await quash("publisher", "--once", "--output", "json")
        assert code == 0, err
        assert json.loads(out)["done"] == {"published": 5, "failed": 0, "skipped": 0, "put_off": 0}
    assert await there.statuses() == {"success": 5}


async def test_a_run_cancels_and_verifies_without_a_broker(there, profile):
    await there.add(700, run_at=SOON)
    await there.add(3, run_at=SOON, status="publishing")
    guards = ("--reason", "campaign postponed", "--yes", "--output", "json")
    code, out, err = await profile()(
        "cancel", "schedules", "--filter", "status:pending", "--expect-count", "700", *guards
    )
    assert code == 0, err
    assert json.loads(out)["run"]["verified"]["yes"] == 700
    assert await there.statuses() == {"cancelled": 700, "publishing": 3}
    assert await there.violations() == []


async def test_a_profile_that_is_read_only_makes_nothing(postgres_url, tmp_path):
    listing = ("list", "schedules", "--output", "json")
    with schedule_database(postgres_url, durable=False) as url:
        profile = profile_on(url, tmp_path)
        code, _, err = await profile(read_only=True)(*listing)
        told = json.loads(err.splitlines()[-1])
        assert (code, told["code"]) == (3, "CANNOT_CONNECT")
        assert "has no schema scheduler, and this profile is read-only" in told["message"]
        assert "`quash scanner`" in told["hint"]
        assert await schemas(url) == 0
        # Where somebody else has made it, it is looked at.
        for read_only in (False, True):
            code, out, err = await profile(read_only=read_only)(*listing)
            assert (code, json.loads(out)["items"]) == (0, []), err
            assert await schemas(url) == 1


async def schemas(url) -> int:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        asked = await connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'scheduler'")
        return (await asked.fetchone())[0]


async def test_without_a_broker_the_runners_say_what_is_missing(profile):
    quash = profile()
    for verb in ("scanner", "publisher"):
        code, _, err = await quash(verb, "--once")
        assert code == 2
        assert "`amqp`" in err


@pytest.mark.parametrize(
    ("module", "verb", "extra"),
    [("psycopg", ("list", "schedules"), "postgres"), ("aio_pika", ("publisher", "--once"), "amqp")],
)
async def test_a_missing_extra_is_named(profile, tmp_path, monkeypatch, module, verb, extra):
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / f"{module}.py").write_text(f"raise ModuleNotFoundError('none', name='{module}')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(blocked))
    code, _, err = await profile(amqp="amqp://guest:guest@127.0.0.1:1/")(*verb)
    assert code == 2
    assert f"quash[{extra}]" in err


async def test_the_native_routes_answer_from_the_service(there, tmp_path):
    ids = await there.add(4, run_at=SOON)
    [foreign] = await there.add(owner="ops2@example.com", run_at=SOON)
    world, system = make_world(tmp_path), PostgresSchedules(there.url)
    native = assemble(
        {"schedules": system}, {"schedules": SchedulesSettings()}, tmp_path / "native.db", world.clock, read_only=False
    )
    app = create_app(replace(make_backend(world, Authenticator({"": KEY})), native=native))
    async with listening(app) as url:
        headers = {"Authorization": f"Bearer {token(OWNER, ())}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as http:
            one = await http.post(f"{ALL}/{ids[0]}/cancel", json={"reason": "Changed marketing strategy"})
            again = await http.post(f"{ALL}/{ids[0]}/cancel", json={})
            denied = await http.post(f"{ALL}/{foreign}/cancel")
            absent = await http.post(f"{ALL}/{MISSING}/cancel")
            odd = await http.post(f"{ALL}/not-a-uuid/cancel")
            bulk = await http.post(
                f"{ALL}/bulk-cancel", json={"schedule_ids": [*ids[1:3], ids[0]], "reason": "Campaign postponed"}
            )
            listed = await http.get(ALL, params={"status": "cancelled", "limit": 2})
            log = await http.get(f"{ALL}/{ids[1]}/audit-log")
    await system.close()
    assert (one.status_code, one.json()["status"]) == (200, "cancelled")
    codes = {reply.status_code: reply.json()["errors"][0]["error_code"] for reply in (again, denied, absent)}
    assert codes == {400: "SCHEDULE_ALREADY_CANCELLED", 403: "SCHEDULE_ACCESS_DENIED", 404: "SCHEDULE_NOT_FOUND"}
    assert odd.status_code == 400
    assert (bulk.json()["cancelled"], bulk.json()["failed"]) == (2, 1)
    assert (len(listed.json()["data"]), listed.json()["pagination"]["total"]) == (2, 3)
    [entry] = log.json()["audit_entries"]
    assert (entry["principal_id"], entry["details"]["previous_status"]) == (OWNER, "pending")


async def test_a_check_of_a_profile_looks_at_its_broker_too(there, amqp_url, profile):
    """The database answers; where the broker does not, nothing that is due goes out."""
    await there.add(2)
    async with own_queue(amqp_url) as name:
        code, out, err = await profile(amqp=amqp_url, queue=name)("profile", "check")
        assert code == 0, err
        assert f"asked the queue {name} at amqp://" in err
        assert "no such queue yet" in err
        code, out, err = await profile(amqp="amqp://guest:secret-word@127.0.0.1:1/", queue=name)("profile", "check")
        assert code != 0
        assert "127.0.0.1:1" in out + err
        assert "secret-word" not in out + err
