"""The lock and the project agree, and the lock tells nothing of where it was made."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return [requirement for requirement in map(Requirement, lines) if requirement.name != project["name"]]


def locked() -> str:
    return (ROOT / "requirements.txt").read_text(encoding="utf-8")


def test_the_lock_satisfies_the_project():
    pins = {canonicalize_name(name): version for name, version in PIN.findall(locked())}
    wanting = [
        f"{requirement} (locked: {pins.get(canonicalize_name(requirement.name))})"
        for requirement in declared()
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"), prereleases=True)
    ]
    assert wanting == [], "run `make lock`"


def test_every_pin_is_hashed_and_none_names_a_place():
    text = locked()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|^-", text, re.MULTILINE) == []


def test_every_dependency_is_accounted_for():
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert [requirement.name for requirement in declared() if f"| `{requirement.name}` |" not in page] == []
