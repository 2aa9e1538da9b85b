"""The data API's buttons: what they are called, and how one is deleted."""

from functools import partial
from typing import Final

import msgspec
from flask import Blueprint, Response, abort, request

from dashboard import arguments
from dashboard.answers import JSON, as_json
from dashboard.live import Hub
from dashboard.store import Reader, Store
from dashboard.store.buttons import Change, buttons, change, names, one_button
from dashboard.store.tidying import erase, erase_letters, erase_some
from iot_button.events import SERIAL_NUMBER, utc_now
from iot_button.mqtt import Connection
from iot_button.topics import Topics

_UNKNOWN: Final = "there is no such button"

_decode = msgspec.json.Decoder(Change).decode


def add_to(
    blueprint: Blueprint,
    read: Reader,
    store: Store,
    hub: Hub,
    connection: Connection,
    topics: Topics,
) -> None:
    """Add `/api/buttons`, `/api/buttons/SERIAL` and `/api/names`."""

    @blueprint.get("/api/buttons")
    def all_buttons() -> Response:
        """Return all buttons, those that were pressed last first."""
        found = buttons(read, now=utc_now(), offset=arguments.offset())
        return as_json({"buttons": found})

    @blueprint.get("/api/names")
    def all_names() -> Response:
        """Return what people call the buttons, those that were pressed last first."""
        return as_json(names(read))

    @blueprint.get("/api/buttons/<path:serial_number>")
    def button(serial_number: str) -> Response:
        """Return one button and its heat map."""
        found = one_button(read, serial_number, now=utc_now(), offset=arguments.offset())
        return abort(404, _UNKNOWN) if found is None else as_json(found)

    @blueprint.patch("/api/buttons/<path:serial_number>")
    def rename(serial_number: str) -> Response:
        """Change what people call a button, and return it."""
        wanted = _change_from_request()
        if not store.run(lambda database: change(database, serial_number, wanted)):
            abort(404, _UNKNOWN)
        return button(serial_number)

    @blueprint.delete("/api/buttons/<path:serial_number>")
    def delete(serial_number: str) -> tuple[str, int]:
        """Delete all that is known of a button; 204 when nothing of it is on the disk any more."""
        if not _make_nameless(store, serial_number):
            abort(404, _UNKNOWN)
        hub.forget(serial_number)
        _take_back_status(connection, topics, serial_number)
        _wait_until_erased(store)
        return "", 204


def _take_back_status(connection: Connection, topics: Topics, serial_number: str) -> None:
    """Have the broker forget how a button is, or it would tell us again."""
    if SERIAL_NUMBER.fullmatch(serial_number) and connection.is_ready:
        connection.publish(topics.status(serial_number), b"", retain=True)


def _make_nameless(store: Store, serial_number: str) -> bool:
    while store.run(partial(erase_letters, serial_number=serial_number)):
        pass
    return store.run(partial(erase, serial_number=serial_number))


def _wait_until_erased(store: Store) -> None:
    while store.run(erase_some):
        pass
    store.clean()


def _change_from_request() -> Change:
    if request.mimetype != JSON:
        abort(415, "a change comes as JSON, with Content-Type: application/json")
    try:
        return _decode(request.get_data())
    except (ValueError, RecursionError) as error:
        abort(400, f"not a change of a button: {error}; there are name, place and colour (#rrggbb)")
