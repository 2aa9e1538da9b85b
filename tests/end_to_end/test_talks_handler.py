"""The talk's function in a user's own folder: the file of 2017, and its form of today."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.end_to_end.conftest import Up
from tests.support import Listener, require_program

EXAMPLES = Path(__file__).parents[2] / "examples"
OLD = EXAMPLES / "talk-2017" / "handler.py"
NEW = EXAMPLES / "sam" / "src" / "processed_click.py"
SERVERLESS = EXAMPLES / "talk-2017" / "serverless.yml"
SAM = EXAMPLES / "sam" / "template.yaml"


def own_folder(path: Path, manifest: Path, handler: Path) -> Path:
    """Put one of the manifests and one of the handlers into a folder, unchanged but for names."""
    code = path / "src" if manifest is SAM else path
    code.mkdir(parents=True)
    name = "processed_click.py" if manifest is SAM else "handler.py"
    shutil.copy(handler, code / name)
    text = manifest.read_text()
    if manifest is SERVERLESS and handler is NEW:
        text = text.replace(
            "    timeout: 10\n",
            "    timeout: 10\n    environment: {PROCESSED_TOPIC: iotprocessed}\n",
        )
    (path / manifest.name).write_text(text)
    return path


@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
@pytest.mark.parametrize("manifest", [SERVERLESS, SAM], ids=["serverless", "sam"])
@pytest.mark.parametrize("handler", [OLD, NEW], ids=["of-2017", "of-today"])
def test_a_press_comes_out_processed_by_the_users_own_function(
    up: Up, start: Start, tmp_path: Path, manifest: Path, handler: Path, broker: str
) -> None:
    if broker == "mosquitto":
        require_program("mosquitto", "mosquitto")
    folder = own_folder(tmp_path / "mine", manifest, handler)
    program = up("--broker", broker, "--no-dashboard", "--functions", str(folder))
    with Listener(program.port("mqtt"), "iotprocessed", "iotbutton/+/receipt") as listener:
        options = ("--serial", "G030JF055364XVRB", "--click", "double", "--battery", "1716mV")
        pressed = start("press", "--broker", program.address("mqtt"), *options)
        assert pressed.end() == 0, (pressed.said, program.said)
        message, receipt = listener.next(), listener.next()
    assert message.topic == "iotprocessed"
    processed = json.loads(message.payload)
    assert list(processed)[:6] == [
        *("title", "timestamp", "ipAddress", "serialNumber", "batteryVoltage", "clickType"),
    ]
    assert processed["title"] == "Demo event assembled by lambda python function"
    assert processed["timestamp"].endswith("Z")
    assert processed["ipAddress"].count(".") == 3
    assert processed["serialNumber"] == "G030JF055364XVRB"
    assert processed["batteryVoltage"] == "1716mV"
    assert processed["clickType"] == "DOUBLE"
    assert json.loads(receipt.payload)["outcome"] == "processed"


def test_the_file_of_2017_is_written_as_one_did_then() -> None:
    """Should someone tidy it up, it would show nothing any more."""
    text = OLD.read_text()
    assert 'client = boto3.client("iot-data", region_name="eu-west-1")' in text
    assert 'client.publish(topic="iotprocessed", qos=1, payload=json.dumps(xevent))' in text
    assert 'f"' not in text
    assert "endpoint" not in text
