"""The runtime put together: from a manifest and settings to a running service, and to its end.

The order of an end: no further message is taken; what waits goes back to its source; what runs may
finish; its outputs are acknowledged; then the connection, the environments and the files close.
"""

import contextlib
import gc
import time
from collections.abc import Callable

from functions.runtime import resuming
from functions.runtime.commits import Commits
from functions.runtime.events import ClickId
from functions.runtime.finishing import Finishing
from functions.runtime.heartbeat import Heartbeat
from functions.runtime.http.deployment import Deployment
from functions.runtime.http.route_table import check_routes
from functions.runtime.http.server import HttpSide, listen
from functions.runtime.intake import Intake
from functions.runtime.manifest import Manifest
from functions.runtime.matching import CLICKS
from functions.runtime.member import Member
from functions.runtime.members import members_of, tell_of_orphans
from functions.runtime.outputs import Outputs
from functions.runtime.remote import Remote
from functions.runtime.rules.filters import overlaps, widest
from functions.runtime.shared import Shared
from functions.runtime.state_files import StateFiles
from functions.runtime.statuses import Statuses
from functions.runtime.subscribing import subscriptions
from functions.runtime.timetables import Timetables
from functions.runtime.traces import Budget
from iot_button.errors import BrokerUnreachableError, IotButtonError, StopTimeoutError
from iot_button.files import StorageError
from iot_button.loop import READ, Loop
from iot_button.messages import Message
from iot_button.mqtt import Stream
from iot_button.settings import Settings

CONNECT_TIMEOUT = 5.0
_COLLECT_AFTER = 20_000
_HTTP_STOP_TIMEOUT = 0.5


class Service:
    """All functions of a manifest, from `open` over `run` to `close`.

    Args:
        clock: seconds since 1970.
    """

    def __init__(
        self, settings: Settings, manifest: Manifest, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self.manifest = manifest
        self.topics = settings.topic_names
        self.loop = Loop()
        self._clock = clock
        self._files = contextlib.ExitStack()
        self._members: dict[str, Member] = {}
        self._problem: Exception | None = None

    # Beginning.

    def open(self) -> None:
        """Take the port and the files, and begin to connect.

        Raises:
            IotButtonError: what is wrong with the manifest's rules, the port or the files.
        """
        settings = self.settings.functions
        listener = listen(settings)
        self._files.callback(listener.close)
        self._state = self._files.enter_context(StateFiles(self.settings, clock=self._clock))
        self._stream = Stream(
            self.loop,
            self.settings.broker.address,
            client_id=self.settings.functions_client_id,
            on_message=self._on_message,
            on_change=self._on_change,
            is_5_tried=True,
        )
        self._remote = Remote(
            self.loop,
            self._members,
            spool=self._state.spool,
            stream=self._stream,
            topics=self.topics,
            switches=self._state.switches,
            clock=self._clock,
        )
        deployment = Deployment(
            host=settings.host, stage=self.manifest.stage, region=self.manifest.region
        )
        self._http = HttpSide(listener, self._remote, deployment)
        for close in (self._stop_http, self._close_stream, self._kill_environments):
            self._files.callback(close)
        self._files.callback(self._remote.close)
        self._build(deployment)
        self._connect()
        for subscription in self._rules:
            # A click is what somebody waits for; what else comes can wait for a cold start.
            if overlaps(subscription.rule.topic_filter, CLICKS):
                self._members[subscription.function.spec.name].pool.warm_up()

    @property
    def http_url(self) -> str:
        """Where the HTTP side is."""
        return self._http.url

    @property
    def filters(self) -> list[str]:
        """The topic filters that all rules need, with the prefix."""
        return [self.topics.full(f) for f in widest(s.rule.topic_filter for s in self._rules)]

    def _build(self, deployment: Deployment) -> None:
        self._outputs = Outputs(
            self._stream,
            self._state.seen,
            self.topics,
            handshakes=self.settings.handshakes,
            on_resumed=lambda output: resuming.finish(output, self._members, self._state.seen),
        )
        self._commits = Commits(
            self.loop,
            self._state.spool,
            self._state.seen,
            flush=self._stream.flush,
            on_failure=self._fail,
        )
        shared = Shared(
            loop=self.loop,
            spool=self._state.spool,
            seen=self._state.seen,
            outputs=self._outputs,
            settled=self._settled,
            outstanding=lambda: self._outputs.outstanding,
            clock=self._clock,
            when_on_disk=self._commits.when_on_disk,
            delays=self.settings.functions.retry_delays,
            folder=self._state.large,
            kept=self._state.kept,
            trace_budget=Budget(self.settings.functions.traces_per_second),
        )
        self._members |= members_of(
            self.manifest,
            deployment,
            endpoint=self._http.url,
            shared=shared,
            switches=self._state.switches,
            idle_timeout=self.settings.functions.idle_timeout,
        )
        check_routes(self.manifest.functions)
        tell_of_orphans(self._state.spool, self._members)
        self._rules = subscriptions(self._members.values())
        self._intake = Intake(
            self._rules, topics=self.topics, shared=shared, acknowledge=self._stream.acknowledge
        )
        self._finishing = Finishing(self.loop, self._members, self._outputs, self._stream)
        self._statuses = Statuses(self.loop, self._stream, self.topics, self._members)
        self._timetables = Timetables(self.loop, self._members.values(), clock=self._clock)

    def _settled(
        self, function: str, click: ClickId, outcome: str, on_told: Callable[[], None]
    ) -> None:
        self._intake.settled(function, click, outcome, on_told)

    def _connect(self) -> None:
        client_id = self.settings.functions_client_id
        self._heartbeat = Heartbeat(self.loop, self._stream, self.topics.heartbeat(client_id))
        clicks = self.topics.full(CLICKS)
        for topic_filter in self.filters:
            # Accounts of other people's brokers may have rights for clicks alone.
            self._stream.subscribe(topic_filter, is_needed=overlaps(topic_filter, clicks))
        self._stream.subscribe(self._heartbeat.topic)
        resuming.resume(self._outputs, self._intake, self._members)
        self.loop.at_end_of_turn(self._commits.end_of_turn)
        self.loop.watch(self._http.fileno(), READ, self._start_http)
        self._patience = self.loop.call_later(CONNECT_TIMEOUT, self._no_broker)
        self._stream.open()

    def _start_http(self) -> None:
        self.loop.unwatch(self._http.fileno())
        self._http.start()

    def _no_broker(self) -> None:
        self._fail(BrokerUnreachableError(str(self._stream.address), self._stream.problem))

    def _fail(self, problem: IotButtonError) -> None:
        self._problem = problem
        self.loop.stop()

    # Running.

    def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until `ask_to_stop`; `on_ready` is called when the first connection stands.

        Raises:
            BrokerUnreachableError: the broker could not be reached within 5 s.
        """
        self._on_ready = on_ready
        # What the start made stays: looking through it for garbage would take milliseconds. And a
        # message is some twenty objects that wait for acknowledgements, none of them garbage.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER, 20, 20)
        self.loop.run()
        if self._problem is not None:
            raise self._problem

    def ask_to_stop(self) -> None:
        """Begin the end; from any thread."""
        self.loop.call_from_thread(self._begin_to_stop)

    def _on_message(self, message: Message) -> None:
        self._heartbeat.heard()
        if message.topic != self._heartbeat.topic:
            self._intake.on_message(message)
        else:  # amqtt delivers at the subscription's QoS, whatever it was published at
            self._stream.acknowledge(message.delivery)

    def _on_change(self, is_ready: bool) -> None:
        if not is_ready:
            self._heartbeat.stop()
            return
        self._heartbeat.start()
        self._statuses.forget()
        if self._patience.callback is not None:  # the first time
            self._patience.cancel()
            for member in self._members.values():
                member.queue.backlog.refill()
            self._timetables.start()
            self._statuses.start()
            self._on_ready()

    # Ending.

    def _begin_to_stop(self) -> None:
        if self._intake.is_stopping:
            return
        self._intake.is_stopping = True
        self._commits.is_hurried = True
        self._timetables.stop()
        self._finishing.begin()

    def close(self) -> None:
        """Give everything back, however far the beginning came."""
        self._files.close()
        self.loop.close()

    def _stop_http(self) -> None:
        with contextlib.suppress(StopTimeoutError):
            self._http.stop(_HTTP_STOP_TIMEOUT)

    def _close_stream(self) -> None:
        try:
            self._state.seen.commit()
        except StorageError as error:
            # What could not be noted must not go out: the next process would send it once more.
            self._stream.reconnect(error.problem)
        self._stream.close()

    def _kill_environments(self) -> None:
        for member in self._members.values():
            member.pool.kill()
