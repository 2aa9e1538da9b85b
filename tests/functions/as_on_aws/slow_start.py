"""A module whose import takes longer than the init phase may."""

import time
from typing import Any

time.sleep(60)


def echo(event: Any, _context: Any) -> Any:
    return event
