"""One function of the running service: its parts, put together."""

import contextlib
import os
import secrets
from datetime import UTC, datetime
from typing import Any

from functions.runtime.asynchronous import Asynchronous
from functions.runtime.control import FunctionMetrics, FunctionStatus, State
from functions.runtime.logs import LogBook
from functions.runtime.manifest.model import FunctionSpec
from functions.runtime.metrics import Metrics
from functions.runtime.plan import Plan
from functions.runtime.pool import Pool
from functions.runtime.runs import Ended, Run
from functions.runtime.shared import Shared
from functions.runtime.switches import Switch
from functions.runtime.variables import environment_variables
from iot_button.console import say


def new_log_stream() -> str:
    """Return a name as AWS gives a log stream: day, version, something random."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{secrets.token_hex(16)}"


class Member:
    """A function with its environments, its queue, its log and its metrics.

    Args:
        spec: the function.
        arn: its ARN here.
        region: AWS's name of where we pretend to be.
        endpoint: where AWS's APIs are served to it.
        shared: what all functions share.
        switch: what was set by people before.
        idle_timeout: seconds after which an environment without work ends.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        arn: str,
        region: str,
        endpoint: str,
        shared: Shared,
        switch: Switch,
        idle_timeout: float,
    ) -> None:
        self.spec = spec
        self.arn = arn
        self.switch = switch
        self.metrics = Metrics()
        self.log = LogBook(spec.memory_megabytes, self._say)
        log_stream = new_log_stream()
        variables = environment_variables(
            spec,
            region=region,
            log_stream=log_stream,
            base=os.environ,
            endpoint=endpoint,
            kept=shared.kept,
        )
        self.pool = Pool(
            shared.loop,
            Plan(
                spec=spec, variables=variables, arn=arn, log_stream=log_stream, folder=shared.folder
            ),
            self,
            limit=self._limit,
            idle_timeout=idle_timeout,
            is_open=lambda: not shared.outputs.is_behind,
        )
        self.queue = Asynchronous(spec, arn, self.pool, self.metrics, shared, self._state)
        self._shared = shared

    def set_switch(self, switch: Switch) -> None:
        """Change what people can change while it runs."""
        self.switch = switch
        self.pool.set_limit(self._limit)
        self.queue.change(self._state)

    def status(self) -> FunctionStatus:
        """Return how it does at this moment."""
        spool = self._shared.spool
        oldest = spool.oldest(self.queue.backlog.queue)
        return FunctionStatus(
            spec=self.spec,
            state=self._state,
            concurrency_limit=self._limit,
            environments=len(self.pool.environments),
            running=self.pool.running,
            waiting=self.queue.waiting,
            oldest_waiting=None if oldest is None else max(0.0, self._shared.clock() - oldest),
            dead_letters=spool.count(self.queue.dead_letters.queue),
        )

    def measured(self) -> FunctionMetrics:
        """Return its metrics at this moment."""
        return self.metrics.snapshot(self.spec.name, concurrent_executions=self.pool.running)

    def summary(self) -> dict[str, Any]:
        """Return what its status topic says."""
        status, metrics = self.status(), self.metrics
        return {
            "function": self.spec.name,
            "state": status.state.value,
            "concurrencyLimit": status.concurrency_limit,
            "environments": status.environments,
            "waiting": status.waiting,
            "deadLetters": status.dead_letters,
            "Invocations": metrics.invocations,
            "Errors": metrics.errors,
            "Throttles": metrics.throttles,
            "AsyncEventsReceived": metrics.async_events_received,
            "AsyncEventsDropped": metrics.async_events_dropped,
            "DeadLetterErrors": metrics.dead_letter_errors,
            "ConcurrentExecutions": status.running,
            "DurationTotal": round(metrics.duration.total, 6),
            "InitDurationTotal": round(metrics.init_duration.total, 6),
        }

    # What the pool tells us.

    def on_output(self, request_id: str, text: bytes) -> None:
        """Keep what the handler wrote."""
        self.log.write(request_id, text)

    def on_ended(self, run: Run, ended: Ended) -> None:
        """Count a run and keep its log."""
        self.metrics.invocations += 1
        self.metrics.errors += ended.is_error
        self.metrics.duration.add(ended.duration)
        if ended.init_duration is not None:
            self.metrics.init_duration.add(ended.init_duration)
        self.log.finish(run.request_id, ended)

    @property
    def _limit(self) -> int:
        for limit in (self.switch.concurrency, self.spec.reserved_concurrency):
            if limit is not None:
                return limit
        return os.cpu_count() or 1

    @property
    def _state(self) -> State:
        if self.switch.is_paused:
            return State.PAUSED
        return State.ACTIVE if self._limit else State.KILLED

    def _say(self, request_id: str, line: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads our standard error any more
            say(f"{self.spec.name} {request_id} {line}")
