"""The settings of one sink."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jwtleak.errors import UsageError
from jwtleak.sinks.interface import SCHEMES
from jwtleak.sinks.settings import SinkSettings, from_table, from_url, token_needed


def test_a_url_carries_settings() -> None:
    """Texts become what the setting is."""
    made = from_url(
        "syslog+tls://h:1?rfc=3164&facility=4&verify=false&rate=2.5&name=siem&ca_file=/c"
    )
    assert (made.rfc, made.facility, made.verify, made.rate, made.ca_file) == (
        3164,
        4,
        False,
        2.5,
        "/c",
    )
    assert (made.title, made.url) == ("siem", "syslog+tls://h:1")
    assert made.configured() == {"url", "rfc", "facility", "verify", "rate", "name", "ca_file"}
    assert made.get("timeout", 7) == 7
    assert made.get("rfc", 7) == 3164


def test_the_name_is_the_address_unless_given() -> None:
    """A URL that is a secret is named by its place."""
    assert from_url("hec+https://h:8088?token_env=T").title == "hec+https://h:8088"
    assert from_table({"url_env": "SLACK", "template": "slack"}, "sink").title == "$SLACK"
    hidden = from_table({"url_file": "/etc/slack", "template": "slack"}, "sink")
    assert (hidden.title, hidden.address.scheme) == ("/etc/slack", "webhook+https")


@pytest.mark.parametrize("name", ["token", "password", "secret", "api_key", "key"])
def test_credentials_are_not_written_out(name: str) -> None:
    """Neither in a table nor in a URL; the value is not repeated."""
    for make in (
        lambda: from_table({"url": "stdout", name: "pa55word"}, "sink[0]"),
        lambda: from_url(f"stdout?{name}=pa55word"),
    ):
        with pytest.raises(UsageError, match="a credential is not written here") as caught:
            make()
        assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "sink[0]: a sink needs one of `url`"),
        ({"url": "stdout", "url_env": "X"}, "a sink needs one of"),
        (
            {"url": "stdout", "token_env": "A", "token_file": "B"},
            "only one of token_env, token_file",
        ),
        ({"url": "stdout", "key_file": "k"}, "`key_file` without `cert_file`"),
        ({"url": "stdout", "proxy": "http://me:pa55word@h"}, "`proxy` must not hold credentials"),
        ({"url": "stdout", "colour": 1}, "object contains unknown field `colour`"),
        ({"url": "stdout", "facility": 24}, "facility: expected `int` <= 23"),
        ({"url": "stdout", "rfc": 1}, "rfc: invalid enum value 1"),
        ({"url": "stdout", "name": "a b"}, "name: expected `str` matching"),
        ({"url": "stdout", "sd_id": 'a"b'}, "sd_id: expected `str` matching"),
        ({"url": "stdout", "rate": 0}, "rate: expected `float` > 0"),
        ({"url": "stdout", "when_full": "wait"}, "`when_full` without `queue`"),
        ({"url": "stdout", "queue": 65535}, "queue: expected `int` >= 65536"),
        (
            {"url": "stdout", "queue": 65536, "when_full": "drop"},
            "when_full: invalid enum value 'drop'",
        ),
        ({"url": "stdout?format=ecs"}, "settings stand beside `url`"),
    ],
)
def test_what_is_wrong_is_named(table: dict[str, Any], says: str) -> None:
    """The error names the table and the key."""
    with pytest.raises(UsageError) as caught:
        from_table(table, "sink[0]")
    assert says in str(caught.value)


def test_a_sink_may_need_a_credential() -> None:
    """One place for it is enough."""
    with pytest.raises(UsageError, match="stdout: needs a key"):
        token_needed(SinkSettings(url="stdout"), "a key")
    for where in ("token_env", "token_file", "token_credential"):
        token_needed(SinkSettings(url="stdout", **{where: "x"}), "a key")


def test_every_setting_and_sink_is_documented() -> None:
    """The reference names each setting, and each scheme."""
    page = (Path(__file__).parents[3] / "docs/reference/sinks.md").read_text(encoding="utf-8")
    assert [name for name in SinkSettings.__struct_fields__ if f"`{name}`" not in page] == []
    assert [name for name in SCHEMES if name not in page] == []
