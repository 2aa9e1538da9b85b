"""The AWS IoT data plane: `POST /topics/{topic}` (AWS IoT data plane API reference, "Publish")."""

import re
import uuid
from typing import Final
from urllib.parse import unquote

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from functions.runtime.control import Control
from functions.runtime.http.aws_errors import AwsError, data_plane_answer
from functions.runtime.http.whole_body import whole_body
from iot_button.errors import IotButtonError

PREFIX: Final = "/topics/"
MAX_PAYLOAD_BYTES: Final = 128 * 1024
MAX_TOPIC_BYTES: Final = 256
MAX_SLASHES: Final = 7
"""AWS IoT Core's own limits (AWS general reference, "Message broker and protocol limits")."""

_MQTT5_ONLY: Final = {
    "contentType": "contentType",
    "responseTopic": "responseTopic",
    "messageExpiry": "messageExpiry",
    "x-amz-mqtt5-user-properties": "userProperties",
    "x-amz-mqtt5-payload-format-indicator": "payloadFormatIndicator",
    "x-amz-mqtt5-correlation-data": "correlationData",
}
"""What MQTT 3.1.1, which the runtime speaks with its broker, cannot carry."""

# Brokers end the connection over these: control characters and the non-characters of Unicode
# (MQTT 3.1.1, section 1.5.3).
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")


def create_blueprint(control: Control) -> Blueprint:
    """Return `POST /topics/{topic}`. It answers when the broker has acknowledged the message."""
    blueprint = Blueprint("data_plane", __name__)

    @blueprint.post(f"{PREFIX}<anything:_topic>")
    def publish(_topic: str) -> Response:
        _refuse_mqtt5()
        control.publish(
            _topic_asked_for(),
            whole_body(MAX_PAYLOAD_BYTES),
            qos=int(_choice("qos", "0", "1")),
            retain=_choice("retain", "false", "true") == "true",
        )
        return jsonify(message="OK", traceId=str(uuid.uuid4()))

    blueprint.register_error_handler(AwsError, data_plane_answer)
    blueprint.register_error_handler(RequestEntityTooLarge, _too_large)
    blueprint.register_error_handler(IotButtonError, _unavailable)
    return blueprint


def _topic_asked_for() -> str:
    """Return the topic, whose slashes may have come encoded or plain.

    Raises:
        AwsError: it is no topic to publish to, here or on AWS.
    """
    raw = str(request.environ["RAW_URI"]).partition("?")[0]
    try:
        topic = unquote(raw.removeprefix(PREFIX), errors="strict")
    except UnicodeDecodeError:
        raise _invalid("the topic is not UTF-8") from None
    problem = _problem(topic)
    if problem:
        raise _invalid(f"the topic {problem}")
    return topic


def _problem(topic: str) -> str:
    if not topic:
        return "is empty"
    if "+" in topic or "#" in topic:
        return "has a wildcard, + or #: only a subscription may have one"
    if _UNFIT.search(topic):
        return "has a control character"
    if topic.startswith("$"):
        return "begins with $: such topics are the broker's own"
    if len(topic.encode()) > MAX_TOPIC_BYTES:
        return f"is longer than {MAX_TOPIC_BYTES} bytes"
    if topic.count("/") > MAX_SLASHES:
        return f"has more than {MAX_SLASHES} slashes"
    return ""


def _choice(name: str, default: str, other: str) -> str:
    value = request.args.get(name, default)
    if value not in (default, other):
        raise _invalid(f"{name} is {value!r}; it can be {default} or {other}")
    return value


def _refuse_mqtt5() -> None:
    for name, parameter in _MQTT5_ONLY.items():
        if name in request.args or name in request.headers:
            raise _invalid(
                f"{parameter} cannot be sent: the broker is spoken to in MQTT 3.1.1, and only "
                "MQTT 5 has it"
            )


def _invalid(message: str) -> AwsError:
    return AwsError(400, "InvalidRequestException", message)


def _too_large(_error: Exception) -> Response:
    message = f"the payload is larger than {MAX_PAYLOAD_BYTES} bytes"
    return data_plane_answer(AwsError(413, "RequestEntityTooLargeException", message))


def _unavailable(error: IotButtonError) -> Response:
    return data_plane_answer(AwsError(503, "ServiceUnavailableException", error.problem))
