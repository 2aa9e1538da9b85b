"""What a service may not do, in systemd's words (systemd.exec(5)).

Each setting was tried on systemd 252, the one of Debian 12 and of Raspberry Pi OS. What is left
out, and why:
- PrivateDevices= and ProtectClock= take the pins, ports and input devices away.
- ProtectKernelTunables= makes /sys read-only, by which RPi.GPIO, one of gpiozero's ways to the
  pins, asks for edges.
- In a user's own units CapabilityBoundingSet= (without PrivateUsers=), ProtectKernelModules=,
  ProtectKernelLogs= and SupplementaryGroups= need rights that no user has: such a unit does not
  start (218/CAPABILITIES, 216/GROUP).
- There, whatever changes the view of the file system is silently ignored without PrivateUsers=,
  and with it the unit does not start (217/USER) where users may make no namespaces.
"""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

Setting = tuple[str, str]

_SYSTEM_CALLS: tuple[Setting, ...] = (
    ("NoNewPrivileges", "yes"),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),  # netlink: getaddrinfo(3)
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallErrorNumber", "EPERM"),
    ("KeyringMode", "private"),
    ("UMask", "0077"),
)
_OF_ROOT: tuple[Setting, ...] = (
    ("CapabilityBoundingSet", ""),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectProc", "invisible"),
    ("RemoveIPC", "yes"),
)
_NAMESPACES: tuple[Setting, ...] = (
    ("PrivateUsers", "yes"),  # the groups of the user still open the devices
    ("CapabilityBoundingSet", ""),
    ("ProtectControlGroups", "yes"),
)


def of_system(needed: Iterable[Path]) -> list[Setting]:
    """Return what protects a unit of the system that needs to read these paths."""
    needed = list(needed)
    home = "read-only" if _is_any_below(needed, HOMES) else "yes"
    return [*_SYSTEM_CALLS, *_OF_ROOT, *_files(needed, home=home)]


def of_user(needed: Iterable[Path], *, has_namespaces: bool) -> list[Setting]:
    """Return what protects a unit of a user."""
    if not has_namespaces:
        return list(_SYSTEM_CALLS)
    return [*_SYSTEM_CALLS, *_NAMESPACES, *_files(list(needed), home="read-only")]


HOMES = (Path("/home"), Path("/root"), Path("/run/user"))  # what ProtectHome= is about
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - what PrivateTmp= is about


def is_below(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path, or what it is a link to, lies in one of these folders."""
    both = (path, path.resolve())
    return any(one.is_relative_to(folder) for one in both for folder in folders)


def user_has_namespaces() -> bool:
    """Whether a user may make namespaces here: some distributions forbid it, also in part."""
    unshare = shutil.which("unshare")  # of util-linux
    if unshare is None:
        return False
    command = [unshare, "--user", "--mount", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _files(needed: list[Path], *, home: str) -> list[Setting]:
    private = [] if _is_any_below(needed, _TEMPORARY) else [("PrivateTmp", "yes")]
    return [("ProtectSystem", "strict"), ("ProtectHome", home), *private]


def _is_any_below(paths: Iterable[Path], folders: Iterable[Path]) -> bool:
    return any(is_below(path, folders) for path in paths)
