"""What is installed is what was written: the files that no import pulls in must be in the wheel too."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built with the hatchling of this environment, so that no network is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("quash-*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_style_is_inside_the_package(names):
    styles = {path.relative_to(ROOT).as_posix() for path in (ROOT / "styles").rglob("*.tcss")}
    assert styles
    assert {f"tui_app/{name}" for name in styles} <= names


def test_every_file_of_the_package_is_in_the_wheel(names):
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tui_app").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "tui_app/py.typed" in files
    assert files <= names


def test_nothing_else_is_installed(names):
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"tui_app"}


def test_the_command_is_installed(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (points,) = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
        assert "quash = tui_app.cli.main:main" in archive.read(points).decode()


def test_an_unpacked_wheel_finds_its_own_styles(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    ask = "from tui_app.resources import styles_dir; print(styles_dir())"
    # -S: the editable installation stays out of the way.
    command = [sys.executable, "-S", "-c", ask]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(answer.stdout.strip()) == tmp_path / "tui_app" / "styles"
