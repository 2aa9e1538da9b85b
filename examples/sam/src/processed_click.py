"""The talk's function in today's Python: a click gets a title, a time and an address.

boto3 publishes what comes out of it. It runs unchanged on AWS and here.
"""

import json
import logging
import os
import socket
from datetime import UTC, datetime
from typing import Any

import boto3

logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger(__name__)

TOPIC = os.environ["PROCESSED_TOPIC"]

client = boto3.client("iot-data", region_name=os.environ["AWS_REGION"])


def lambda_handler(event: dict[str, Any], context: Any) -> None:  # noqa: ARG001
    """Publish the processed click of a click."""
    processed = {
        "title": "Demo event assembled by lambda python function",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ipAddress": local_address(),
        "serialNumber": event["serialNumber"],
        "batteryVoltage": event["batteryVoltage"],
        "clickType": event["clickType"],
    }
    # Passed on, they let a subscriber know a click again that came twice.
    processed |= {key: event[key] for key in ("eventId", "clickedAt") if key in event}
    log.info("%s click of %s", event["clickType"], event["serialNumber"])
    client.publish(topic=TOPIC, qos=1, payload=json.dumps(processed))


def local_address() -> str:
    """Return the address that this host would send from; 127.0.0.1 without a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it asks the routing table
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
