"""Each broken variant in the tables of this folder is found by the test that it names, for the reason that it names."""

import re

import pytest

from support.mutants import Mutant, mutants, reasons


@pytest.mark.slow
@pytest.mark.parametrize("mutant", mutants(), ids=lambda one: one.name)
def test_a_broken_variant_is_found(mutant: Mutant) -> None:
    assert mutant.is_there(), f"{mutant.file} has no longer what {mutant.name} breaks: write the variant anew"
    ended = mutant.run()
    said = reasons(ended.stdout)
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert f"FAILED {mutant.test.partition('[')[0]}" in said, ended.stdout[-3000:]
    assert re.search(mutant.fails, said), said
