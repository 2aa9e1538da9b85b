"""Topic names and topic filters, each spelled once.

A topic name and a topic filter are what MQTT 3.1.1, section 4.7, says they are. A prefix makes room
for several installations on one broker: with the prefix `home`, clicks come on `home/iotbutton/+`.
"""

import hashlib
from dataclasses import dataclass

from iot_button.errors import SettingError


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one installation. `prefix`: empty, or levels without a closing slash."""

    prefix: str = ""

    def __post_init__(self) -> None:
        levels = self.prefix.split("/") if self.prefix else ["ok"]
        if any(not level or set(level) & set("+#\0") for level in levels) or levels[0][0] == "$":
            raise SettingError(
                "topics.prefix",
                f"topics.prefix {self.prefix!r} is no topic name",
                mend="use levels without + and #, joined by /, such as home/ground-floor",
            )

    @property
    def processed(self) -> str:
        """Where the `enrich` function publishes."""
        return self._under("iotprocessed")

    @property
    def clicks(self) -> str:
        """The topic filter that matches every button's clicks, and nothing else of theirs."""
        return self._under("iotbutton/+")

    def click(self, serial_number: str) -> str:
        """Where one button publishes its clicks."""
        return self._under(f"iotbutton/{serial_number}")

    def receipt(self, serial_number: str) -> str:
        """Where a button reads what became of its clicks."""
        return self._under(f"iotbutton/{serial_number}/receipt")

    def status(self, serial_number: str) -> str:
        """Where a button says, retained, how it is; its will says it where it no longer can."""
        return self._under(f"iotbutton/{serial_number}/status")

    def action(self, serial_number: str) -> str:
        """Where a button that Home Assistant knows tells it of a click."""
        return self._under(f"iotbutton/{serial_number}/action")

    def home_assistant_id(self, serial_number: str) -> str:
        """Name a button in Home Assistant: other installations may have one of that number."""
        digest = hashlib.sha256(self.prefix.encode()).hexdigest()[:8]
        return f"iotbutton{'-' + digest if self.prefix else ''}_{serial_number}"

    def dead_letter(self, function: str) -> str:
        """Where a function's failed invocations go."""
        return self._under(f"deadletter/{function}")

    def function_status(self, function: str) -> str:
        """Where the function runtime says, retained, how a function does."""
        return self._under(f"iotfunctions/{function}/status")

    def heartbeat(self, client_id: str) -> str:
        """Where the function runtime speaks to itself, to know that the broker still listens."""
        return self._under(f"iotfunctions/heartbeat/{client_id}")

    def full(self, topic: str) -> str:
        """Put the prefix before a topic or a filter of a user's."""
        return self._under(topic)

    def local(self, topic: str) -> str:
        """Take the prefix away from a topic that has it."""
        return topic[len(self.prefix) + 1 :] if self.prefix else topic

    @staticmethod
    def serial_number(click_topic: str) -> str:
        """Return the serial number that a click's topic names: its last level."""
        return click_topic.rpartition("/")[2]

    def _under(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name
