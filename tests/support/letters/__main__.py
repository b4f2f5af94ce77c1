"""``quash`` as it is with one more package in its list of systems."""

from __future__ import annotations

import sys

from tui_app import bootstrap
from tui_app.cli.main import main

PACKAGE = "support.letters"

if __name__ == "__main__":
    bootstrap.SYSTEMS = (*bootstrap.SYSTEMS, PACKAGE)
    sys.exit(main())
