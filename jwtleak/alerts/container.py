"""The container of an alert: what the log's path tells, and the stream that the record names."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from jwtleak.alerts.alert import Container
from jwtleak.core.container import ContainerFacts, of_path
from jwtleak.types import OutputStream, StreamInfo


class Containers:
    """The containers of one stream's alerts: one for each output stream, made once."""

    def __init__(self, stream: StreamInfo) -> None:
        # Inside an archive the member's name is the path that the log had.
        self._facts = of_path(stream.member or stream.path or "")
        self._made: dict[OutputStream | None, Container | UnsetType] = {}

    def of(self, output: OutputStream | None) -> Container | UnsetType:
        """The container whose `output` a finding stands in."""
        if output not in self._made:
            self._made[output] = _container(self._facts, output)
        return self._made[output]


def _container(facts: ContainerFacts | None, output: OutputStream | None) -> Container | UnsetType:
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
