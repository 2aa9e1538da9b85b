"""The data API: what is kept, as JSON, and all clicks as a file."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from flask import Blueprint, Response

from dashboard import arguments, data_api_buttons, data_api_charts
from dashboard.answers import as_json, encode
from dashboard.history import Row
from dashboard.live import Hub
from dashboard.store import Reader, Store
from dashboard.store.dead_letters import dead_letters
from dashboard.store.pages import page, pieces
from iot_button.files import StorageError
from iot_button.mqtt import Connection
from iot_button.topics import Topics

_COLUMNS: Final = tuple(field.encode_name for field in msgspec.structs.fields(Row))
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def create_blueprint(store: Store, hub: Hub, connection: Connection, topics: Topics) -> Blueprint:
    """Return everything under `/api/` that tells or changes what is kept."""
    read = store.reader()
    blueprint = Blueprint("data", __name__)
    blueprint.register_error_handler(StorageError, _unreadable)
    blueprint.register_error_handler(TimeoutError, _unreadable)
    data_api_buttons.add_to(blueprint, read, store, hub, connection, topics)
    data_api_charts.add_to(blueprint, read)

    @blueprint.get("/api/clicks")
    def clicks() -> Response:
        """Return a page of clicks, newest first."""
        found = page(read, arguments.filters(), limit=arguments.limit())
        return as_json({"clicks": found.rows, "before": found.before})

    @blueprint.get("/api/clicks.ndjson")
    def clicks_ndjson() -> Response:
        """Return all clicks, oldest first, one JSON object a line."""
        lines = (b"".join(encode(row) + b"\n" for row in rows) for rows in _all_of(read))
        return _attachment(lines, "application/x-ndjson", "clicks.ndjson")

    @blueprint.get("/api/clicks.csv")
    def clicks_csv() -> Response:
        """Return all clicks, oldest first, as a table (RFC 4180)."""
        return _attachment(_csv(_all_of(read)), "text/csv", "clicks.csv")

    @blueprint.get("/api/deadletters")
    def letters() -> Response:
        """Return a page of dead letters, newest first."""
        before = arguments.number("before", lowest=0, highest=arguments.MAX_ID)
        function, limit = arguments.text("function"), arguments.limit(highest=200)
        found = dead_letters(read, before=before, function=function, limit=limit)
        return as_json({"deadLetters": found.letters, "before": found.before})

    return blueprint


def harmless(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula (CSV injection)."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _all_of(read: Reader) -> Iterator[list[Row]]:
    return pieces(read, arguments.filters())


def _csv(pages: Iterable[list[Row]]) -> Iterator[bytes]:
    yield (",".join(_COLUMNS) + "\r\n").encode()
    for rows in pages:
        text = io.StringIO()
        csv.writer(text).writerows(map(harmless, msgspec.structs.astuple(row)) for row in rows)
        yield text.getvalue().encode()


def _attachment(pieces_of_it: Iterable[bytes], kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(pieces_of_it, mimetype=kind, headers=headers)


def _unreadable(error: Exception) -> tuple[dict[str, str], int]:
    problem = error.problem if isinstance(error, StorageError) else "the disk is too slow"
    return {"error": problem}, 503
