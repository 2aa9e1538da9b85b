"""The body of the request that is being answered, whole or not at all."""

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge


def whole_body(limit: int) -> bytes:
    """Return the body.

    Args:
        limit: bytes that it may have; `request.max_content_length` from now on.

    Raises:
        RequestEntityTooLarge: it has more, whether its length was told before or not.
        BadBodyError: it does not come whole.
    """
    request.max_content_length = limit
    body = request.get_data(cache=False)
    # Of a body in chunks, werkzeug reads as much as the limit allows and says nothing of the rest.
    if request.input_stream.read(1):
        raise RequestEntityTooLarge
    return body
