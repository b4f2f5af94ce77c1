"""`scanner` and `publisher`: what they print as they work, and that they end with what they had begun."""

import csv
import io
import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager

import pytest

from tui_app.cli.exits import Exit

GIVEN = ("--reason", "campaign postponed", "--yes", "--expect-count", 1, "--output", "json")


def statuses(bus) -> Counter[str]:
    return Counter(row[0] for row in bus.of("schedules", "SELECT status FROM schedule"))


def make_due(bus, number: int) -> list[str]:
    """Schedules that are pending, and due by now."""
    query = "UPDATE schedule SET run_at = '2026-01-01T00:00:00.000000Z' WHERE id IN (SELECT id FROM schedule WHERE "
    rows = bus.of("schedules", f"{query} status = 'pending' ORDER BY id LIMIT ?) RETURNING id", number)
    return [row[0] for row in rows]


def gone_out(bus, ids) -> list[int]:
    """How often each of these went out."""
    return [bus.of("schedules", "SELECT count(*) FROM outbox WHERE schedule_id = ?", one)[0][0] for one in ids]


@pytest.fixture
def due(bus):
    """Five that are due, in a system where nothing else waits for the scanner or the publisher."""
    bus.of("schedules", "DELETE FROM message")
    bus.of("schedules", "UPDATE schedule SET status = 'failed' WHERE status = 'queued'")
    bus.of("schedules", "UPDATE schedule SET run_at = '2099-01-01T00:00:00.000000Z' WHERE status = 'pending'")
    return make_due(bus, 5)


def test_what_is_due_is_queued_and_published_once(quash, bus, due):
    before = statuses(bus)
    scanned = quash("scanner", "--once", "--batch", 2, "--output", "jsonl")
    assert (scanned.code, [line["count"] for line in scanned.lines]) == (Exit.DONE, [2, 2, 1])
    assert {line["event"] for line in scanned.lines} == {"queued"}
    assert statuses(bus)["queued"] == 5
    published = quash("publisher", "--once", "--output", "jsonl")
    assert published.code == Exit.DONE
    assert {(line["event"], line["schedule"]) for line in published.lines} == {("published", one) for one in due}
    assert gone_out(bus, due) == [1] * 5
    assert statuses(bus) == before + Counter(success=5) - Counter(pending=5)
    assert (
        quash("scanner", "--once", "--output", "jsonl").out
        == quash("publisher", "--once", "--output", "jsonl").out
        == ""
    )


def test_what_was_cancelled_in_the_queue_is_passed_over_and_said_so(quash, bus, due):
    quash("scanner", "--once")
    assert quash("cancel", "schedules", due[0], *GIVEN).code == Exit.DONE
    found = quash("publisher", "--once", "--output", "jsonl")
    assert Counter(line["event"] for line in found.lines) == {"published": 4, "skipped": 1}
    [skipped] = [line for line in found.lines if line["event"] == "skipped"]
    assert (skipped["schedule"], skipped["status"]) == (due[0], "cancelled")
    assert gone_out(bus, due) == [0, 1, 1, 1, 1]
    trail = quash("show", "schedules", due[0], "--output", "json").json["trail"]
    assert [entry["event"] for entry in trail][-2:] == ["SCHEDULE_CANCELLED", "PUBLISH_SKIPPED"]


def test_a_message_of_a_schedule_that_is_gone_is_passed_over_and_said_so(quash, bus, due):
    quash("scanner", "--once")
    bus.of("schedules", "DELETE FROM schedule WHERE id = ?", due[0])
    found = quash("publisher", "--once", "--output", "jsonl")
    [skipped] = [line for line in found.lines if line["event"] == "skipped"]
    assert (skipped["schedule"], skipped["status"]) == (due[0], "gone")


def test_every_form_of_output(quash, bus, due):
    table = quash("scanner", "--once", "--batch", 3)
    assert [line.split()[1:] for line in table.out.splitlines()] == [["queued", "3"], ["queued", "2"]]
    assert table.err == "5 queued\n"
    rows = list(csv.DictReader(io.StringIO(quash("publisher", "--once", "--output", "csv").out)))
    assert {(row["event"], row["schedule"]) for row in rows} == {("published", one) for one in due}
    found = quash("publisher", "--once", "--output", "json").json
    assert found == {"schema": "quash.publisher.v1", "done": {"published": 0, "failed": 0, "skipped": 0, "put_off": 0}}
    assert quash("scanner", "--once", "--output", "json").json == {"schema": "quash.scanner.v1", "done": {"queued": 0}}


@contextmanager
def at_work(*words: str):
    """A runner in a process of its own."""
    command = [sys.executable, "-m", "tui_app", *words, "--interval", "0.05", "--output", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)])
def test_a_signal_ends_them_with_what_they_had_begun(bus, due, numbers):
    with at_work("scanner") as scanner, at_work("publisher") as publisher:
        queued = [json.loads(scanner.stdout.readline())]
        published = [json.loads(publisher.stdout.readline()) for _ in due]
        more = make_due(bus, 2)
        while sum(line["count"] for line in queued) < 7:
            queued.append(json.loads(scanner.stdout.readline()))
        published += [json.loads(publisher.stdout.readline()) for _ in more]
        for process in (scanner, publisher):
            # Stopped meanwhile, so that both are there before either is met.
            for number in (signal.SIGSTOP, *numbers, signal.SIGCONT):
                process.send_signal(number)
        ends = [(*process.communicate(timeout=30), process.returncode) for process in (scanner, publisher)]
    assert ends == [("", "", Exit.DONE)] * 2
    assert {line["schedule"] for line in published} == {*due, *more}
    assert gone_out(bus, [*due, *more]) == [1] * 7


@pytest.mark.parametrize("verb", ["scanner", "publisher"])
@pytest.mark.parametrize(
    "table", ["", "url = 'postgresql://127.0.0.1:1/posts'\namqp = 'amqp://127.0.0.1:1/'\n"], ids=["here", "service"]
)
def test_a_profile_that_is_read_only_lets_nothing_be_queued_or_published(quash, config, bus, due, verb, table):
    before = statuses(bus)
    config(f"[profiles.local]\nread_only = true\n[profiles.local.schedules]\n{table}")
    found = quash(verb, "--once", "--output", "json")
    assert (found.code, found.out, found.error["code"]) == (Exit.NO_ACCESS, "", "FORBIDDEN")
    assert found.error["message"] == "this profile is read-only"
    assert "read_only" in found.error["hint"]
    assert statuses(bus) == before


@pytest.mark.parametrize("verb", ["scanner", "publisher"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[profiles.local.commands]\n", "has no schedules"),
        ("[profiles.far]\nservice = 'http://127.0.0.1:1'\n", "is served elsewhere"),
        ("[profiles.far.schedules]\nurl = 'https://posts.example.com'\n", "queued and published where they are"),
    ],
)
def test_where_somebody_else_does_it_they_say_so(quash, config, verb, text, message):
    config(text)
    found = quash(verb, "--once", "--output", "json")
    assert (found.code, found.out, found.error["code"]) == (Exit.USAGE, "", "USAGE")
    assert message in found.error["message"]
