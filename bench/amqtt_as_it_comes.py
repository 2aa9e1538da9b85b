"""amqtt without anything of ours, in a process of its own, until its standard input closes.

    python bench/amqtt_as_it_comes.py default|lean

`default`: the plugins that amqtt has without a configuration; `lean`: one authentication plugin and
nothing else, which is the fastest that it comes. Prints its port.
"""

import asyncio
import logging
import sys
from typing import Any

from amqtt.broker import Broker

PLUGINS: dict[str, dict[str, Any]] = {
    "default": {
        "amqtt.plugins.logging_amqtt.EventLoggerPlugin": {},
        "amqtt.plugins.logging_amqtt.PacketLoggerPlugin": {},
        "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
        "amqtt.plugins.sys.broker.BrokerSysPlugin": {"sys_interval": 20},
    },
    "lean": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


async def serve(which: str) -> None:
    """Run it."""
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:0"}},
            "plugins": PLUGINS[which],
        }
    )
    await broker.start()
    server: Any = broker._servers["default"].instance  # noqa: SLF001 - it says it nowhere else
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await broker.shutdown()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(serve(sys.argv[1]))
