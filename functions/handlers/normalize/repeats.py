"""Which messages are only repeated: some buttons say their last press again and again."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .press import Press  # noqa: TID252 - the package has another name where it runs


class Repeats:
    """What was heard last of each button whose messages are repeated.

    On disk, where the runtime names a folder for it: a button that repeats its last press every
    half minute must not click when the runtime starts.
    """

    MOST = 1_000

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        folder = os.environ.get("FUNCTION_STATE_FOLDER")
        self._file = Path(folder) / "repeats.json" if folder else None
        self._heard: dict[str, list[Any]] = {}
        if self._file is not None:
            # There is none yet, or it is damaged.
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                heard = json.loads(self._file.read_text())["heard"]
                self._heard = {name: [str(m), str(r), float(at)] for name, (m, r, at) in heard}

    def is_one(self, press: Press, request_id: str) -> bool:
        """Say whether a press was heard before; another attempt at the same message was not."""
        if press.mark is None:
            return False
        now = self._clock()
        name = _short(press.name)
        mark, first_by, at = self._heard.get(name, (None, "", 0.0))
        is_near = press.repeats_within is None or abs(now - at) < press.repeats_within
        if mark == press.mark and is_near:
            return bool(first_by != request_id)
        self._heard.pop(name, None)
        self._heard[name] = [press.mark, request_id, now]
        if len(self._heard) > self.MOST:
            del self._heard[next(iter(self._heard))]
        self._keep()
        return False

    def _keep(self) -> None:
        if self._file is None:
            return
        beside = self._file.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk: it is known until this process ends
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.write_text(json.dumps({"heard": list(self._heard.items())}))
            beside.replace(self._file)


def _short(name: str) -> str:
    """Return what stands for a name: a stranger's can have 64 KB, and a thousand are kept."""
    if len(name) <= 64:
        return name
    return hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=32).hexdigest()
