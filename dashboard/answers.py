"""Answers of the data API."""

from typing import Final

import msgspec
from flask import Response

JSON: Final = "application/json"

encode: Final = msgspec.json.Encoder().encode


def as_json(value: object, status: int = 200) -> Response:
    """Return an answer in JSON."""
    return Response(encode(value), status, mimetype=JSON)
