"""`functions.notify`: the function that tells people of clicks, beside those of the manifest."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from functions.runtime.manifest import Manifest, load
from iot_button.errors import IotButtonError, SettingError

SERVICE: Final = Path(__file__).parent / "notify" / "serverless.yml"
_PATIENCE: Final = 30.0


def with_notifications(manifest: Manifest, urls: str) -> Manifest:
    """Return a service with `notify` among its functions.

    Args:
        manifest: the service.
        urls: whom to tell, as apprise takes it; blanks or commas between them.

    Raises:
        IotButtonError: apprise is not installed.
        SettingError: there is a function of that name already, or apprise knows no such address.
    """
    if importlib.util.find_spec("apprise") is None:
        raise IotButtonError(
            "apprise is not installed, which functions.notify needs",
            mend="install it: pip install 'iot-button[notify]'",
        )
    if any(spec.name == "notify" for spec in manifest.functions):
        raise SettingError(
            "functions.notify",
            f"functions.notify: {manifest.file} has a function notify of its own",
            mend="leave the setting out, or name that function otherwise",
        )
    _check(urls)
    (notify,) = load(SERVICE).functions
    ours = replace(notify, environment={**notify.environment, "NOTIFY_URLS": urls})
    return replace(manifest, functions=(*manifest.functions, ours))


def _check(urls: str) -> None:
    """Ask apprise, in a process of its own: it is 30 MB and a second."""
    asked = subprocess.run(
        [sys.executable, str(SERVICE.with_name("handler.py"))],
        env={**os.environ, "NOTIFY_URLS": urls},
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )
    if asked.returncode:
        said = (asked.stderr.strip().splitlines() or ["apprise failed"])[-1]
        raise SettingError(
            "functions.notify",
            f"functions.notify: {said.removeprefix('NOTIFY_URLS: ')}",
            mend="write addresses as apprise takes them: ntfy://TOPIC, mailto://..., json://HOST/PATH",
        )
