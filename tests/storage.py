"""What the tests of stores on disk share: processes that are killed, full disks, missing rights."""

import contextlib
import os
import resource
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import DEADLINE

NOBODY = 65534


def lines_until_killed(program: str, *arguments: str, lines: int) -> list[str]:
    """Run a Python program, kill it with SIGKILL when it has printed so many lines; return all."""
    child = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stderr is not None
        said = []
        for _ in range(lines):
            assert select.select([child.stdout], [], [], DEADLINE)[0], "the child says nothing"
            # One at a time from a text pipe: what it has buffered is not seen by select, but then
            # the next readline returns at once, and the child never stops printing.
            said.append(child.stdout.readline())
            assert said[-1], child.stderr.read()
        child.kill()
        said += child.stdout.readlines()
    return [line.rstrip("\n") for line in said if line.endswith("\n")]  # the last may be cut


@contextlib.contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes: the system then refuses to write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def read_only_folder() -> Iterator[Path]:
    """Give a folder in which this process may not write, though it be root's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
            try:
                yield Path(name)
            finally:
                os.seteuid(0)
        else:
            yield Path(name)
        Path(name).chmod(0o755)


@contextlib.contextmanager
def small_disk(folder: Path, *, size: str) -> Iterator[Path]:
    """Mount a disk of that size in memory; where that is not allowed, the test is skipped."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=DEADLINE)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs root, to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=DEADLINE)
