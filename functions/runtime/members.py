"""All functions of a manifest, put together; and what waits for functions that it does not have."""

import logging
from collections.abc import Mapping

from functions.runtime.backlog import EVENTS
from functions.runtime.http.deployment import Deployment
from functions.runtime.manifest import Manifest
from functions.runtime.member import Member
from functions.runtime.shared import Shared
from functions.runtime.switches import Switches
from iot_button.spool import Spool

log = logging.getLogger(__name__)


def members_of(
    manifest: Manifest,
    deployment: Deployment,
    *,
    endpoint: str,
    shared: Shared,
    switches: Switches,
    idle_timeout: float,
) -> dict[str, Member]:
    """Return the functions by name, in the manifest's order.

    Args:
        manifest: says which there are.
        deployment: gives them their ARNs.
        endpoint: where AWS's APIs are served to them.
        shared: what they have in common.
        switches: what was set by people before.
        idle_timeout: seconds after which an environment without work ends.
    """
    return {
        spec.name: Member(
            spec,
            arn=deployment.function_arn(spec.name),
            region=manifest.region,
            endpoint=endpoint,
            shared=shared,
            switch=switches.of(spec.name),
            idle_timeout=idle_timeout,
        )
        for spec in manifest.functions
    }


def tell_of_orphans(spool: Spool, members: Mapping[str, Member]) -> None:
    """Say which events wait on disk for functions that are not among these."""
    ours = {member.queue.backlog.queue for member in members.values()}
    for queue in spool.queues():
        if queue.startswith(EVENTS) and queue not in ours:
            name, count = queue.removeprefix(EVENTS), spool.count(queue)
            log.warning("%d events wait for %r, which is not in the manifest", count, name)
