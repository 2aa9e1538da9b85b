"""What a broker that runs shows of itself: figures for Prometheus, and its place on the network."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from broker.machine_names import host_name
from iot_button.hosts import in_url
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
            from broker.metrics import MetricsServer

            server = MetricsServer(
                host="127.0.0.1",
                port=settings.broker.metrics_port,
                text=_page(settings, broker, stack),
            )
            stack.enter_context(server)
            addresses["metrics"] = f"http://{in_url(server.host)}:{server.port}"
        yield addresses


def _page(
    settings: Settings,
    broker: "EmbeddedBroker | MosquittoBroker",
    stack: contextlib.ExitStack,
) -> Callable[[], bytes]:
    """Return what writes the page for Prometheus; what it needs ends with the stack."""
    from broker.metrics import metrics_text

    if settings.broker.use != "mosquitto":
        ours: Figures = getattr(broker, "figures")  # noqa: B009 - the other one has none
        return lambda: metrics_text(ours)
    from msgspec.structs import replace

    from broker.mosquitto_figures import UNTOLD, MosquittoFigures

    client = MosquittoFigures(
        replace(settings.broker.address, port=broker.port),
        client_id=settings.client_id_of("metrics"),
    )
    theirs = stack.enter_context(client).figures
    return lambda: metrics_text(theirs, untold=UNTOLD)
