"""What every execution environment of one function is started with."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.runtime.manifest.model import FunctionSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A function, and how it is run here.

    `variables`: its environment variables. `arn`, `log_stream`: what its context says.
    `folder`: for events too large for a datagram.
    """

    spec: FunctionSpec
    variables: Mapping[str, str]
    arn: str
    log_stream: str
    folder: Path

    def configuration(self, *, events: int, results: int) -> str:
        """Return what `inside/bootstrap.py` gets as its argument.

        Args:
            events: the descriptor of the socket with the events.
            results: the descriptor of the pipe for the results.
        """
        spec = self.spec
        configuration: dict[str, Any] = {
            "events": events,
            "results": results,
            "handler": spec.handler,
            "root": str(spec.root),
            "timeout": spec.timeout,
            "name": spec.name,
            "memory": spec.memory_megabytes,
            "arn": self.arn,
            "version": "$LATEST",
            "logGroup": f"/aws/lambda/{spec.name}",
            "logStream": self.log_stream,
            "parent": os.getpid(),
        }
        return json.dumps(configuration)
