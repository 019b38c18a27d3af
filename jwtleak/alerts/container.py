"""The container of an alert, from the log's path (Kubernetes, Docker, Podman) and the record.

Promises: pure. A name has the form that the platform allows, so it needs no cleaning. A path of
another form has no container: no guess. The ids in a path identify the platform, so a copy of a
node's logs, in any directory or archive, reads the same.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from jwtleak.alerts.alert import Container
from jwtleak.core.lazy_regex import lazy
from jwtleak.types import OutputStream, StreamInfo

# RFC 1123 labels and subdomains, as Kubernetes checks the names of namespaces, containers and pods.
# No name holds `_`.
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?"
# A UUID; of a static pod the hash of its manifest.
_UID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}"
_ID = r"[0-9a-f]{64}"

# Suffixes of rotation and compression: `0.log.20261126-231500.gz`, `ID-json.log.1`.
_ROTATED = r"(?:\.[-.0-9a-z]{1,40})?"

# A literal that every such path contains, and the shape. Most paths contain no such literal, and
# then no expression is compiled.
_SHAPES = tuple(
    (literal, lazy(rf"(?:^|/){shape}{_ROTATED}\Z"))
    for literal, shape in (
        # kubelet: /var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log
        (
            "_",
            rf"(?P<namespace>{_LABEL})_(?P<pod>{_SUBDOMAIN})_(?P<pod_uid>{_UID})"
            rf"/(?P<name>{_LABEL})/[0-9]{{1,6}}\.log",
        ),
        # kubelet's links to them: /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log
        (
            "_",
            rf"(?P<pod>{_SUBDOMAIN})_(?P<namespace>{_LABEL})_(?P<name>{_LABEL})-(?P<id>{_ID})\.log",
        ),
        # Docker: /var/lib/docker/containers/ID/ID-json.log
        ("-json.log", rf"(?P<id>{_ID})/(?P=id)-json\.log"),
        # Podman: /var/lib/containers/storage/overlay-containers/ID/userdata/ctr.log
        ("/userdata/ctr.log", rf"(?P<id>{_ID})/userdata/ctr\.log"),
    )
)


class ContainerFacts(msgspec.Struct, frozen=True, gc=False):
    """A container as a path names it; None is unknown."""

    namespace: str | None = None
    pod: str | None = None
    pod_uid: str | None = None
    name: str | None = None
    id: str | None = None


def of_path(path: str) -> ContainerFacts | None:
    """The container whose log is at `path`; None where the path has another form."""
    for literal, shape in _SHAPES:
        # In the order of the table: the kubelet's shapes first, as both of them contain `_`.
        if literal in path and (match := shape.search(path)):
            return ContainerFacts(**match.groupdict())
    return None


class Containers:
    """The containers of one stream's alerts: one for each output stream, built once."""

    def __init__(self, stream: StreamInfo) -> None:
        # Inside an archive the member's name is the path that the log had.
        self._facts = of_path(stream.member or stream.path or "")
        self._made: dict[OutputStream | None, Container | UnsetType] = {}

    def of(self, output: OutputStream | None) -> Container | UnsetType:
        """The container of a finding in `output`."""
        if output not in self._made:
            self._made[output] = _container(self._facts, output)
        return self._made[output]


def _container(facts: ContainerFacts | None, output: OutputStream | None) -> Container | UnsetType:
    # A CRI or Docker record names its stream even where the path says nothing (`docker logs`).
    if facts is None and output is None:
        return UNSET
    known = facts or ContainerFacts()
    return Container(
        known.namespace or UNSET,
        known.pod or UNSET,
        known.pod_uid or UNSET,
        known.name or UNSET,
        known.id or UNSET,
        output or UNSET,
    )
