"""What a broker that runs shows of itself: figures for Prometheus, and its place on the network."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from broker.machine_names import host_name
from iot_button.settings import Settings

if TYPE_CHECKING:
    from broker.embedded import EmbeddedBroker
    from broker.figures import Figures
    from broker.mosquitto import MosquittoBroker


@contextlib.contextmanager
def observed(
    settings: Settings, broker: "EmbeddedBroker | MosquittoBroker"
) -> Iterator[dict[str, str]]:
    """Show what the settings ask for while the broker runs; yields addresses to be said."""
    addresses: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        if settings.broker.announce:
            from broker.discovery import Announcement

            announcement = Announcement(
                name=f"iot-button on {host_name()}",
                host=broker.host,
                port=broker.port,
                tls_port=broker.tls_port,
            )
            stack.enter_context(announcement)
        if settings.broker.metrics_port is not None:
            from broker.metrics import MetricsServer, metrics_text

            figures = _figures(settings, broker, stack)
            server = MetricsServer(
                host="127.0.0.1",
                port=settings.broker.metrics_port,
                text=lambda: metrics_text(figures),
            )
            stack.enter_context(server)
            addresses["metrics"] = f"http://{server.host}:{server.port}"
        yield addresses


def _figures(
    settings: Settings,
    broker: "EmbeddedBroker | MosquittoBroker",
    stack: contextlib.ExitStack,
) -> "Figures":
    if settings.broker.use != "mosquitto":
        ours: Figures = getattr(broker, "figures")  # noqa: B009
        return ours
    from msgspec.structs import replace

    from broker.mosquitto_figures import MosquittoFigures

    client = MosquittoFigures(
        replace(settings.broker.address, host=broker.host, port=broker.port),
        client_id=settings.client_id_of("metrics"),
    )
    return stack.enter_context(client).figures
