"""The container in an alert."""

from __future__ import annotations

from minting import jws
from msgspec import UNSET

from jwtleak.alerts.alert import Container
from jwtleak.alerts.container import Containers
from jwtleak.types import StreamInfo

UID = "6f1c2b3a-0d4e-4f5a-8b6c-7d8e9f0a1b2c"
PATH = f"var/log/pods/shop_web_{UID}/nginx/0.log"


def test_path_and_record() -> None:
    """What the path tells and what the record names stand together; either stands alone."""
    assert Containers(StreamInfo("file", PATH)).of("stderr") == Container(
        "shop", "web", UID, "nginx", UNSET, "stderr"
    )
    assert Containers(StreamInfo("file", PATH)).of(None) == Container("shop", "web", UID, "nginx")
    assert Containers(StreamInfo("stdin")).of("stdout") == Container(stream="stdout")


def test_none() -> None:
    """Without either there is no container."""
    assert Containers(StreamInfo("file", "/var/log/app.log")).of(None) is UNSET


def test_a_member_tells_more_than_its_archive() -> None:
    """Of a file in an archive the path inside counts."""
    made = Containers(StreamInfo("file", "/backup/node7.tar", PATH)).of(None)
    assert isinstance(made, Container)
    assert made.pod == "web"


def test_one_for_each_output() -> None:
    """The same output gives the same value, made once."""
    containers = Containers(StreamInfo("file", PATH))
    assert containers.of("stdout") is containers.of("stdout")
    assert containers.of("stdout") != containers.of("stderr")


def test_in_an_alert(make) -> None:
    """A finding in a pod's log has the container in its location."""
    found = make(jws(), path="/" + PATH, output="stderr").location.container
    assert (found.namespace, found.pod, found.name, found.stream) == (
        "shop",
        "web",
        "nginx",
        "stderr",
    )
    assert make(jws()).location.container is UNSET
