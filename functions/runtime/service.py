"""The runtime put together: from a manifest and settings to a running service, and to its end.

The order of an end: no further message is taken; what waits goes back to its source; what runs may
finish; its outputs are acknowledged; then the connection, the environments and the files close.
"""

import contextlib
import gc
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from functions.runtime.backlog import EVENTS
from functions.runtime.events import ClickId, Event
from functions.runtime.heartbeat import Heartbeat
from functions.runtime.http.deployment import Deployment
from functions.runtime.http.route_table import check_routes
from functions.runtime.http.server import HttpSide, listen
from functions.runtime.intake import Intake
from functions.runtime.manifest import Manifest
from functions.runtime.matching import CLICKS
from functions.runtime.member import Member
from functions.runtime.outputs import Outputs
from functions.runtime.remote import Remote
from functions.runtime.rules.filters import overlaps, widest
from functions.runtime.seen import Output, Seen
from functions.runtime.shared import Shared
from functions.runtime.subscribing import subscriptions
from functions.runtime.switches import Switches
from functions.runtime.timetables import Timetables
from functions.runtime.traces import Budget
from iot_button.errors import BrokerUnreachableError, StopTimeoutError
from iot_button.files import StorageError
from iot_button.loop import READ, Loop, Timer
from iot_button.messages import Message
from iot_button.mqtt import Stream
from iot_button.settings import Settings
from iot_button.spool import Spool

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5.0
FINISH_TIMEOUT = 1.5
_COMMIT_EVERY = 0.01
"""Seconds between two fsyncs of the spool at least; all that came meanwhile shares one."""
_STATUS_EVERY = 2.0
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
        self._on_disk: list[Callable[[], None]] = []
        self._committed_at = 0.0
        self._commit_timer: Timer | None = None
        self._members: dict[str, Member] = {}
        self._said: dict[str, bytes] = {}
        self._is_stopping = False
        self._problem: Exception | None = None

    # Beginning.

    def open(self) -> None:
        """Take the port and the files, and begin to connect.

        Raises:
            IotButtonError: what is wrong with the manifest's rules, the port or the files.
        """
        folder = Path(self.settings.state_dir) / "functions"
        settings = self.settings.functions
        listener = listen(settings)
        self._files.callback(listener.close)
        self._spool = self._files.enter_context(Spool(folder / "spool.db", clock=self._clock))
        self._seen = self._files.enter_context(
            Seen(
                folder / "seen",
                size=settings.window_size,
                age=settings.window_days * 86_400,
                clock=self._clock,
            )
        )
        self._switches = Switches(folder / "switches.json")
        self._switches.load()
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
            spool=self._spool,
            stream=self._stream,
            topics=self.topics,
            switches=self._switches,
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
            self._seen,
            self.topics,
            handshakes=self.settings.handshakes,
            on_resumed=self._on_resumed,
        )
        shared = Shared(
            loop=self.loop,
            spool=self._spool,
            seen=self._seen,
            outputs=self._outputs,
            settled=self._settled,
            outstanding=lambda: self._outputs.outstanding,
            clock=self._clock,
            when_on_disk=self._when_on_disk,
            delays=self.settings.functions.retry_delays,
            folder=_emptied(Path(self.settings.state_dir) / "functions" / "large"),
            kept=Path(self.settings.state_dir).absolute() / "functions" / "kept",
            trace_budget=Budget(self.settings.functions.traces_per_second),
        )
        for spec in self.manifest.functions:
            self._members[spec.name] = Member(
                spec,
                arn=deployment.function_arn(spec.name),
                region=self.manifest.region,
                endpoint=self._http.url,
                shared=shared,
                switch=self._switches.of(spec.name),
                idle_timeout=self.settings.functions.idle_timeout,
            )
        check_routes(self.manifest.functions)
        self._tell_of_orphans()
        self._rules = subscriptions(self._members.values())
        self._intake = Intake(
            self._rules, topics=self.topics, shared=shared, acknowledge=self._stream.acknowledge
        )
        self._timetables = Timetables(self.loop, self._members.values(), clock=self._clock)

    def _tell_of_orphans(self) -> None:
        """Say which events wait on disk for functions that this manifest does not have."""
        ours = {member.queue.backlog.queue for member in self._members.values()}
        for queue in self._spool.queues():
            if queue.startswith(EVENTS) and queue not in ours:
                name, count = queue.removeprefix(EVENTS), self._spool.count(queue)
                log.warning("%d events wait for %r, which is not in the manifest", count, name)

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
        self._resume()
        self.loop.at_end_of_turn(self._end_of_turn)
        self.loop.watch(self._http.fileno(), READ, self._start_http)
        self._patience = self.loop.call_later(CONNECT_TIMEOUT, self._no_broker)
        self._stream.open()

    def _resume(self) -> None:
        """Carry on with the outputs that were under way when the runtime before us died."""
        outputs = self._outputs.resume()
        self._intake.resume(output.key for output in outputs)
        for output in outputs:
            name, _outcome, entry, _event = output.extra.split(b"\n", 3)
            member = self._members.get(name.decode())
            if member is not None and entry:
                member.queue.backlog.expect(int(entry))
        for member in self._members.values():
            member.queue.backlog.know_newest()

    def _start_http(self) -> None:
        self.loop.unwatch(self._http.fileno())
        self._http.start()

    def _no_broker(self) -> None:
        self._problem = BrokerUnreachableError(str(self._stream.address), self._stream.problem)
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
        self._said.clear()
        if self._patience.callback is not None:  # the first time
            self._patience.cancel()
            for member in self._members.values():
                member.queue.backlog.refill()
            self._timetables.start()
            self._say_status()
            self._on_ready()

    def _on_resumed(self, output: Output) -> None:
        name, outcome, entry, event = output.extra.split(b"\n", 3)
        member = self._members.get(name.decode())
        if member is None:  # it is in the manifest no more
            self._seen.done(output.key, outcome.decode())
            return
        member.queue.endings.finish_resumed(
            outcome.decode(), int(entry) if entry else None, Event.from_bytes(event), output.payload
        )

    def _say_status(self) -> None:
        """Publish each function's status, where it has changed."""
        if self._stream.is_ready:
            for name, member in self._members.items():
                status = json.dumps(member.summary(), separators=(",", ":")).encode()
                if status != self._said.get(name):
                    self._said[name] = status
                    topic = self.topics.function_status(name)
                    self._stream.publish(
                        topic, status, qos=0, retain=True, on_acknowledged=lambda: None
                    )
        self._status_timer = self.loop.call_later(_STATUS_EVERY, self._say_status)

    # What has to be on disk before it is said.

    def _when_on_disk(self, callback: Callable[[], None]) -> None:
        self._on_disk.append(callback)

    def _end_of_turn(self) -> None:
        # Outcomes first: an event may leave the spool only when it is known to be done. And once
        # more: one that lies in the spool now is known as held from here on.
        self._seen.commit()
        try:
            self._commit_spool()
        except StorageError as error:
            # What was put there since the last commit is undone; its sources have it still, and
            # send it again to the next process.
            self._problem = error
            self.loop.stop()
            return
        self._seen.commit()
        self._stream.flush()

    def _commit_spool(self) -> None:
        """Commit what was changed, but not more often than an fsync is worth."""
        if not self._spool.is_changed:
            return
        now = time.monotonic()
        if now - self._committed_at < _COMMIT_EVERY and not self._is_stopping:
            if self._commit_timer is None:
                self._commit_timer = self.loop.call_later(_COMMIT_EVERY, self._commit_due)
            return
        self._spool.commit()
        self._committed_at = time.monotonic()
        callbacks, self._on_disk = self._on_disk, []
        for callback in callbacks:
            try:
                callback()
            except Exception:  # its event is on disk; the other callbacks are of other events
                log.exception("an error after an event was put on disk")

    def _commit_due(self) -> None:
        self._commit_timer = None

    # Ending.

    def _begin_to_stop(self) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        self._intake.is_stopping = True
        self._timetables.stop()
        for member in self._members.values():
            member.queue.stop()
            member.pool.stop()
        self._stop_by = time.monotonic() + FINISH_TIMEOUT
        self._stop_when_done()

    def _stop_when_done(self) -> None:
        running = sum(member.pool.running for member in self._members.values())
        is_done = running == 0 and (self._outputs.outstanding == 0 or not self._stream.is_ready)
        if is_done or time.monotonic() >= self._stop_by:
            if running:
                log.warning("%d events were still running; they will be run again", running)
            self.loop.stop()
        else:
            self.loop.call_later(0.005, self._stop_when_done)

    def close(self) -> None:
        """Give everything back, however far the beginning came."""
        self._files.close()
        self.loop.close()

    def _stop_http(self) -> None:
        with contextlib.suppress(StopTimeoutError):
            self._http.stop(_HTTP_STOP_TIMEOUT)

    def _close_stream(self) -> None:
        try:
            self._seen.commit()
        except StorageError as error:
            # What could not be noted must not go out: the next process would send it once more.
            self._stream.reconnect(error.problem)
        self._stream.close()

    def _kill_environments(self) -> None:
        for member in self._members.values():
            member.pool.kill()


def _emptied(folder: Path) -> Path:
    """Return the folder for events on their way to an environment, of which none is left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
