"""Each broken variant in the tables of this folder is found by the test that it names, for the reason that it names."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from support.mutants import Mutant, Runs, mutants

PARTS = 3
"""A day tries one part of the variants, so that no check takes long; `make mutants` tries them all."""


def due() -> list[Mutant]:
    """The variants of this day."""
    if os.environ.get("QUASH_TEST_MUTANTS") == "all":
        return mutants()
    return mutants()[datetime.now(UTC).toordinal() % PARTS :: PARTS]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    with Runs() as running:
        yield running


@pytest.mark.parametrize("mutant", mutants(), ids=lambda one: one.name)
def test_what_a_variant_breaks_is_there(mutant: Mutant) -> None:
    assert mutant.is_there(), f"{mutant.file} has no longer what {mutant.name} breaks: write the variant anew"
    assert mutant.changed() != mutant.path.read_text(encoding="utf-8")
    compile(mutant.changed(), mutant.file, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("mutant", due(), ids=lambda one: one.name)
def test_a_broken_variant_is_found(mutant: Mutant, runs: Runs) -> None:
    ended = runs.run(mutant)
    if ended.skipped():
        pytest.skip(f"{mutant.test} cannot run here")
    assert ended.code == pytest.ExitCode.TESTS_FAILED, ended.said[-3000:]
    reasons = ended.reasons()
    assert f"FAILED {mutant.test.partition('[')[0]}" in reasons, ended.said[-3000:]
    assert re.search(mutant.fails, reasons), reasons
