"""A text written in the operator's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from tui_app.domain.errors import UsageProblem


def edit(text: str) -> str:
    """The text as one line, after the operator has edited it; the screen has to be suspended meanwhile.

    Raises:
        UsageProblem: there is no editor, or it ended with an error; the text is as it was.
    """
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="quash-") as folder:
        path = Path(folder) / "reason.txt"
        path.write_text(f"{text}\n", encoding="utf-8")
        try:
            # Named by the operator's own environment, as git does; not a shell.
            subprocess.run([*shlex.split(named), str(path)], check=True)  # noqa: S603
            return " ".join(path.read_text(encoding="utf-8").split())
        except (OSError, ValueError, UnicodeDecodeError, subprocess.CalledProcessError) as error:
            raise UsageProblem(
                f"the editor {named!r} did not give a text back", hint="Set EDITOR; the reason is as it was."
            ) from error
