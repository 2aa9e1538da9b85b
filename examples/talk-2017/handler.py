"""A button's click gets a title, a time and an address, and is published again.

Written as one wrote a Lambda function in 2017, with boto3. It runs unchanged on AWS and here.
"""
# ruff: noqa: ARG001, D103, T201, UP031 - the manner of 2017

import datetime
import json
import socket

import boto3

client = boto3.client("iot-data", region_name="eu-west-1")


def local_address():
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it asks the routing table
        return probe.getsockname()[0]
    except OSError:
        return "127.0.0.1"
    finally:
        probe.close()


def lambda_handler(event, context):
    now = datetime.datetime.utcnow()
    xevent = {
        "title": "Demo event assembled by lambda python function",
        "timestamp": "%s.%03dZ" % (now.strftime("%Y-%m-%dT%H:%M:%S"), now.microsecond / 1000),
        "ipAddress": local_address(),
        "serialNumber": event["serialNumber"],
        "batteryVoltage": event["batteryVoltage"],
        "clickType": event["clickType"],
    }
    print("%s click of %s" % (event["clickType"], event["serialNumber"]))
    client.publish(topic="iotprocessed", qos=1, payload=json.dumps(xevent))
