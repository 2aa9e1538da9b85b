"""A message that the broker keeps until each of the events that were made of it is safe."""

from collections.abc import Callable

from iot_button.messages import Delivery


class Pending:
    """One message, and its deliveries: one that comes again joins the first.

    It waits for one more `one_safe` than was expected: the last, from its maker, says that nothing
    more will be.

    Args:
        acknowledge: lets the broker forget a delivery.
    """

    __slots__ = ("_acknowledge", "_deliveries", "_missing")

    def __init__(self, acknowledge: Callable[[Delivery], None], delivery: Delivery) -> None:
        self._acknowledge = acknowledge
        self._deliveries = [delivery]
        self._missing = 1

    def expect(self) -> None:
        """Wait for one more event."""
        self._missing += 1

    def one_safe(self) -> None:
        """Hear that an event is safe, or that no more will be expected."""
        self._missing -= 1
        if self._missing == 0:
            for delivery in self._deliveries:
                self._acknowledge(delivery)

    def join(self, delivery: Delivery) -> None:
        """Take the same message again."""
        if self._missing:
            self._deliveries.append(delivery)
        else:
            self._acknowledge(delivery)
