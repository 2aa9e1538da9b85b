"""The `notify` function: a processed click becomes a message on a phone, a mail, a webhook.

Where to, `NOTIFY_URLS` says: addresses as apprise takes them (https://github.com/caronc/apprise),
with blanks or commas between them, such as `ntfy://my-own-topic` or, for a webhook,
`jsons://example.com/hook`. apprise apart, standard library only, so that this file runs here and
on AWS Lambda unchanged.
"""

import os
import re
from typing import Any

import apprise


def lambda_handler(event: dict[str, Any], context: Any) -> None:  # noqa: ARG001
    """Send a message about a click.

    Raises:
        ValueError: `NOTIFY_URLS` has an address that apprise does not know, or none.
        RuntimeError: not all of them took the message. Lambda tries again, after one minute and
            after two more; those that have taken it get it again then.
    """
    title, body = words(event)
    if not _recipients(os.environ.get("NOTIFY_URLS", "")).notify(title=title, body=body):
        raise RuntimeError("not everyone who is to be told could be reached")


def words(event: dict[str, Any]) -> tuple[str, str]:
    """Return the title and the text of a message."""
    serial, kind = _short(event.get("serialNumber")), _short(event.get("clickType")).lower()
    moment = _short(event.get("clickedAt") or event.get("timestamp"))
    battery = event.get("batteryVoltage")
    rest = f", battery {_short(battery)}" if battery is not None else ""
    return f"{serial}: {kind} click", f"{serial} was clicked ({kind}) at {moment}{rest}."


def _short(value: object) -> str:
    """Return a text of somebody else's, fit for one line."""
    return "".join(one for one in str(value) if one.isprintable())[:100]


def _recipients(urls: str) -> apprise.Apprise:
    found = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    for number, url in enumerate(re.split(r"[\s,]+", urls.strip()), start=1):
        if not found.add(url):  # not shown: there may be a password in it
            scheme = re.match(r"[a-z0-9-]{1,20}(?=://)", url)
            kind = f" ({scheme[0]}://...)" if scheme else ""
            raise ValueError(f"NOTIFY_URLS: apprise does not know address number {number}{kind}")
    return found


if __name__ == "__main__":  # ours asks so at its start, in a process that apprise may fill
    try:
        _recipients(os.environ["NOTIFY_URLS"])
    except ValueError as error:
        raise SystemExit(str(error)) from None
