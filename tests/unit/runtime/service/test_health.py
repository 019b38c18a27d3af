"""The answers to probes."""

from __future__ import annotations

from minting import jws

from jwtleak.runtime.service import health as module
from jwtleak.runtime.service.health import ServiceHealth


class Clock:
    """A clock that stands where it is put."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_ready_only_while_following() -> None:
    """Before files are followed and once stopping has begun the answer is no; the loop is alive all
    the while.
    """
    health = ServiceHealth(Clock())
    answers = []
    for phase in ("starting", "following", "stopping"):
        health.phase(phase)
        answers.append((health.ready().good, health.alive().good))
    assert answers == [(False, True), (True, True), (False, True)]


def test_a_loop_that_hangs() -> None:
    """Without a beat for a minute the program is not alive; a beat makes it so again."""
    clock = Clock()
    health = ServiceHealth(clock)
    clock.now = module.STALLED_SECONDS - 1
    assert health.alive().good
    clock.now += 1
    assert not health.alive().good
    assert health.alive().body["status"] == "stalled"
    health.beat()
    assert health.alive().good


def test_degraded_is_named_until_it_is_mended() -> None:
    """A sink that is down is named with its reason; the program stays alive and ready."""
    health = ServiceHealth(Clock())
    health.phase("following")
    assert health.degrade("sink:siem", "connection refused")
    assert not health.degrade("sink:siem", "timeout")
    assert health.ready() == (
        True,
        {"status": "degraded", "phase": "following", "degraded": {"sink:siem": "timeout"}},
    )
    assert health.alive().body["status"] == "degraded"
    assert health.mend("sink:siem")
    assert not health.mend("sink:siem")
    assert health.ready().body == {"status": "ok", "phase": "following"}


def test_what_halts_reading_is_not_ready() -> None:
    """A full spool stops reading: not ready, but a restart would not help, so alive."""
    health = ServiceHealth(Clock())
    health.phase("following")
    health.degrade("spool", "256 MiB wait", halts=True)
    assert not health.ready().good
    assert health.ready().body["status"] == "halted"
    assert health.alive().good


def test_troubles_are_bounded_and_clean() -> None:
    """More troubles than can be shown are left out; no name or reason shows a token."""
    health = ServiceHealth(Clock())
    for number in range(1000):
        health.degrade(f"watch:/{number}", jws())
    degraded = health.alive().body["degraded"]
    assert isinstance(degraded, dict)
    assert len(degraded) == module.MAX_TROUBLES
    assert all(reason.startswith("[JWT ") and len(reason) < 20 for reason in degraded.values())
