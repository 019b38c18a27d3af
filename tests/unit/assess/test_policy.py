"""Policy and baseline: what each condition fits, days, reasons, and that only decoded claims
count.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from minting import CLAIMS, NOW, jws, sha256
from msgspec import UNSET

from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.alerts.wire import to_wire
from jwtleak.assess.policy import (
    AlertPlace,
    Allow,
    Policy,
    Raise,
    is_over,
    read_baseline,
    write_baseline,
)
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.errors import UsageError
from jwtleak.patterns import load_channels, load_tables
from jwtleak.typed_toml import convert
from jwtleak.types import StreamInfo

TODAY = date(2026, 1, 15)
PLACE = AlertPlace(
    {"kid": "k1"},
    {"iss": "https://idp.test/", "aud": ["api", "web"]},
    "auth0",
    "access",
    "valid",
    "url_query",
    "/var/log/nginx/access.log",
    "a" * 64,
)

CONDITIONS: list[tuple[dict[str, Any], AlertPlace]] = [
    ({"issuer": "https://idp.test/"}, PLACE._replace(claims={"iss": "https://idp.test"})),
    ({"issuer": ["x", "https://*.test/"]}, PLACE._replace(claims={})),
    ({"audience": "web"}, PLACE._replace(claims={"aud": "other"})),
    ({"kid": "k*"}, PLACE._replace(header={"kid": "x"})),
    ({"provider": "auth0"}, PLACE._replace(provider="okta")),
    ({"use": ["access", "id"]}, PLACE._replace(use=None)),
    ({"channel": "url_query"}, PLACE._replace(channel="cookie")),
    ({"path": "/var/log/*/access.log"}, PLACE._replace(path="/var/log/a/b/access.log")),
    ({"path": "**.log"}, PLACE._replace(path="/x.txt")),
    ({"sha256": "a" * 64}, PLACE._replace(sha256="b" * 64)),
    ({"signature": "valid"}, PLACE._replace(signature=None)),
    (
        {"issuer": "https://idp.test/", "channel": ["url_query", "cookie"]},
        PLACE._replace(channel="header"),
    ),
]


@pytest.mark.parametrize(("asked", "other"), CONDITIONS, ids=str)
def test_each_condition(asked: dict[str, Any], other: AlertPlace) -> None:
    """A rule fits when all of its conditions do, for keeping back and for raising."""
    raising = convert({"reason": "r", "severity": "high", **asked}, Raise, "t")
    policy = Policy((convert({"reason": "known", **asked}, Allow, "t"),), (raising,))
    assert policy.decide(PLACE, TODAY).suppressed == "known"
    assert policy.decide(other, TODAY) == (None, None)
    assert msgspec.structs.replace(policy, allow=()).decide(PLACE, TODAY) == (None, "high")
    assert not policy.empty


def test_every_condition_is_tried() -> None:
    """Each key of a rule but its reason and day stands in the list above."""
    assert {name for asked, _ in CONDITIONS for name in asked} == set(Allow.__struct_fields__) - {
        "reason",
        "until",
    }


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"issuer": "x"}, "reason"),
        ({"issuer": "x", "reason": "  "}, "reason: may not be empty"),
        ({"reason": "r"}, "at least one condition"),
        ({"reason": "r", "isuer": "x"}, "isuer"),
        ({"reason": "r", "sha256": "ABC"}, "64 hex digits"),
        ({"reason": "r", "channel": "nowhere"}, "nowhere"),
        ({"reason": "r", "issuer": "x", "until": "soon"}, "until"),
    ],
)
def test_broken_rules(rule: dict[str, Any], problem: str) -> None:
    """A rule without a reason, without a condition or with an unknown key is refused, and the error
    says where.
    """
    with pytest.raises(UsageError, match=problem):
        convert(rule, Allow, "jwtleak.toml")


def test_days() -> None:
    """A rule holds through its day, and not after it; one without a day holds always. The day is
    that of the alert.
    """
    until = {"issuer": "https://idp.test/", "until": TODAY}
    rules = (
        convert({"reason": "move", **until}, Allow, "t"),
        convert({"reason": "r", "severity": "low", **until}, Raise, "t"),
    )
    policy = Policy(rules[:1], rules[1:])  # type: ignore[arg-type]
    assert [is_over(rule, TODAY) for rule in rules] == [False, False]
    assert [is_over(rule, TODAY + timedelta(1)) for rule in rules] == [True, True]
    assert not is_over(convert({"reason": "r", "issuer": "x"}, Allow, "t"), date.max)
    assert policy.decide(PLACE, TODAY).suppressed == "move"
    assert policy.decide(PLACE, TODAY + timedelta(1)) == (None, None)
    midnight = NOW - NOW % 86400 + 86400
    for now, expected in ((midnight - 1, "move"), (midnight, UNSET)):
        assert alerts(f"t={jws()}\n", policy, now=now)[0].suppressed == expected


def alerts(
    text: str, policy: Policy, path: str = "a.log", member: str | None = None, now: float = NOW
) -> list[Any]:
    """The alerts for `text` in a stream."""
    engine = Engine(Channels(load_channels()))
    builder = Builder(
        StreamInfo("file", path, member),
        AlertContext(now, None, b"k", load_tables=load_tables, policy=policy),
    )
    return [
        builder.build(finding, "0" * 40) for finding in engine.feed(text.encode()) + engine.close()
    ]


def allow(**asked: Any) -> Policy:
    """A policy of one rule."""
    return Policy((convert({"reason": "accepted risk", **asked}, Allow, "t"),))


def test_claims_are_decoded() -> None:
    """A rule looks at decoded claims: text of the token, or of another claim, fits nothing."""
    token = jws({**CLAIMS, "note": "https://allowed.test/"})
    payload = token.split(".")[1]
    for asked in (
        {"issuer": "https://allowed.test/"},
        {"issuer": f"**{payload[:12]}**"},
        {"audience": payload},
        {"kid": "**"},
    ):
        assert alerts(f"t={token}\n", allow(**asked))[0].suppressed is UNSET
    (alert,) = alerts(f"t={token}\n", allow(issuer="https://idp.test/"))
    assert alert.suppressed == "accepted risk"


def test_raised_alerts_say_so() -> None:
    """A raised alert has the severity of the rule at the least, and the reason `policy`."""
    policy = Policy(
        raises=(convert({"reason": "r", "path": "a.log", "severity": "critical"}, Raise, "t"),)
    )
    (alert,) = alerts(f"t={jws({**CLAIMS, 'exp': NOW - 999})}\n", policy)
    assert (alert.severity, alert.reasons[-1]) == ("critical", "policy")


def test_baseline() -> None:
    """A baseline knows a token at its place; the same token elsewhere, and another there, are
    new.
    """
    token = jws()
    (alert,) = alerts(f"t={token}\n", Policy(), "logs/a.tar", "x/y.log")
    name = to_wire(alert).baseline_name()
    assert name == f"{sha256(token)} logs/a.tar!x/y.log"
    known = read_baseline(write_baseline({name}), "b.json")
    assert known == {name}
    policy = Policy(baseline=known)
    assert alerts(f"t={token}\n", policy, "logs/a.tar", "x/y.log")[0].suppressed == "baseline"
    assert alerts(f"t={token}\n", policy, "logs/b.tar", "x/y.log")[0].suppressed is UNSET
    assert (
        alerts(f"t={jws({'sub': '2'})}\n", policy, "logs/a.tar", "x/y.log")[0].suppressed is UNSET
    )


def test_baselines_are_the_same_bytes() -> None:
    """The same findings give the same file, in any order, one finding a line."""
    assert write_baseline({"b", "a"}) == write_baseline({"a", "b"})
    assert len(write_baseline({"a", "b"}).splitlines()) == 7


BROKEN = [
    b"",
    b"[]",
    b"{}",
    b'{"version":1,"findings":[1]}',
    b'{"findings":[],"x":1}',
    b"\xff",
    b'{"version":2,"findings":[]}',
]


@pytest.mark.parametrize("data", BROKEN)
def test_broken_baselines(data: bytes) -> None:
    """What is no baseline of this version is refused, with the name of the file."""
    with pytest.raises(UsageError, match=r"b\.json"):
        read_baseline(data, "b.json")
