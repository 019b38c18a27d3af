"""What a log's path tells of its container."""

from __future__ import annotations

import time

import pytest

from jwtleak.alerts.container import ContainerFacts, of_path

ID = "0123456789abcdef" * 4
UID = "6f1c2b3a-0d4e-4f5a-8b6c-7d8e9f0a1b2c"
STATIC = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("path", "facts"),
    [
        (
            f"/var/log/pods/shop_web-7d9f_{UID}/nginx/0.log",
            ContainerFacts("shop", "web-7d9f", UID, "nginx"),
        ),
        (
            f"/var/log/pods/shop_web_{UID}/nginx/12.log.20261126-231500.gz",
            ContainerFacts("shop", "web", UID, "nginx"),
        ),
        (
            f"/var/log/pods/kube-system_etcd-n1.example_{STATIC}/etcd/3.log",
            ContainerFacts("kube-system", "etcd-n1.example", STATIC, "etcd"),
        ),
        (f"node7/pods/a_b_{UID}/c/0.log", ContainerFacts("a", "b", UID, "c")),
        (
            f"/var/log/containers/web-7d9f_shop_side-car-{ID}.log",
            ContainerFacts("shop", "web-7d9f", None, "side-car", ID),
        ),
        (f"/var/lib/docker/containers/{ID}/{ID}-json.log", ContainerFacts(id=ID)),
        (f"/var/lib/docker/containers/{ID}/{ID}-json.log.1", ContainerFacts(id=ID)),
        (
            f"/var/lib/containers/storage/overlay-containers/{ID}/userdata/ctr.log",
            ContainerFacts(id=ID),
        ),
    ],
)
def test_paths(path: str, facts: ContainerFacts) -> None:
    """Each platform's layout is read, also rotated, compressed, and copied somewhere else."""
    assert of_path(path) == facts


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/var/log/nginx/access.log",
        "/var/log/pods/shop_web/nginx/0.log",
        f"/var/log/pods/Shop_web_{UID}/nginx/0.log",
        f"/var/log/pods/shop_web_{UID}/nginx/access.log",
        f"/var/log/pods/shop_web_{UID}/nginx/0.log\n",
        f"/var/log/pods/-shop_web_{UID}/nginx/0.log",
        f"/var/log/containers/web_shop_nginx-{ID[:-1]}.log",
        f"/var/lib/docker/containers/{ID}/{ID[::-1]}-json.log",
        f"/x/{'a' * 64}_web_{UID}/nginx/0.log",
    ],
)
def test_no_guess(path: str) -> None:
    """A path that only resembles a layout tells nothing."""
    assert of_path(path) is None


@pytest.mark.parametrize("part", ["a", "a-", "a_", "/a", "a_a_a-", "0", f"{ID}/"])
def test_time_is_linear(part: str) -> None:
    """A path of 64 KiB that was written to be costly costs milliseconds."""
    began = time.process_time()
    of_path(part * (65536 // len(part)))
    assert time.process_time() - began < 1
