"""How many files this process may have open: a connection is one."""

import contextlib
import resource

from iot_button.errors import IotButtonError

_ENOUGH = 65_536


def allow_open_files(needed: int) -> None:
    """Raise our limit so that so many files can be open at once.

    Raises:
        IotButtonError: the system allows fewer; the message says how to raise that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _at_least(soft, needed):
        return
    problem = f"{needed:,} files have to be open at once, and the limit is {hard:,}"
    mend = (
        f"raise it before the start: ulimit -n {needed} (in a systemd unit: LimitNOFILE={needed})"
    )
    if not _at_least(hard, needed):
        raise IotButtonError(problem, mend=mend)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (ValueError, OSError) as error:  # macOS: a hard limit can say more than there is
        raise IotButtonError(problem, mend=mend) from error


def allow_most_open_files() -> None:
    """Raise our limit as far as we may, up to 65,536; leave it where that cannot be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if not _at_least(soft, wanted):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _at_least(limit: int, number: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= number
