"""The structlog library, imported so that it does not find rich.

With rich it takes 77 ms and 5 MB more and prints every local variable of a traceback, secrets among them.
"""

import sys
from typing import Any, cast

_ABSENT = cast("Any", None)  # what import takes for "there is no such module"

_hide = "rich" not in sys.modules
if _hide:
    sys.modules["rich"] = _ABSENT

import structlog  # noqa: E402 - it looks for rich while it is imported

if _hide:
    del sys.modules["rich"]

__all__ = ["structlog"]
