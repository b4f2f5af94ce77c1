"""Draws the pictures of the documentation anew: `make pictures`.

They are the snapshots of the tests, so that what a reader sees is what was tested. Run it when a snapshot changed on
purpose; `git diff` then shows what else did.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SNAPSHOTS = ROOT / "tests" / "snapshots" / "__snapshots__"
PICTURES = {
    ROOT / "docs" / "pictures" / "console.svg": SNAPSHOTS / "test_items_pictures" / "test_items[120x40].svg",
}


def main() -> int:
    """Take the snapshots anew and copy those that the documentation shows."""
    only_pictures = ["-k", "not documentation"]
    command = [sys.executable, "-m", "pytest", "-q", "--snapshot-update", *only_pictures, "tests/snapshots"]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode == 0:
        for picture, snapshot in PICTURES.items():
            picture.parent.mkdir(exist_ok=True)
            shutil.copyfile(snapshot, picture)
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
