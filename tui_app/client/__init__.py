"""The backend client adapter, and the transports beneath it."""

import sys
from typing import Any, cast

# httpx loads its own command line, and with it click, rich and a highlighter, wherever those are installed: four
# tenths of its import time for nothing. An entry of None makes that import fail, which httpx expects.
cast("dict[str, Any]", sys.modules).setdefault("httpx._main", None)
