"""`jwtleak patterns`."""

from __future__ import annotations

GOOD = """
[[pattern]]
id = "acme-key"
title = "ACME key"
severity = "high"
confidence = "high"
keywords = ["acme_"]
regex = 'acme_[0-9a-f]{16}'
examples = ["key=acme_0123456789abcdef"]
negative_examples = ["acme_short"]
"""


def test_list(run):
    """`patterns list` shows every sort of entry, one a line, and no key."""
    result = run("patterns", "list")
    assert (result.status, result.err) == (0, "")
    sorts = {line.split()[0] for line in result.out.decode().splitlines()}
    assert sorts == {
        "shape",
        "channel",
        "issuer",
        "use",
        "public",
        "admin",
        "key",
        "example",
        "claim",
        "server",
    }
    assert b"your-256-bit-secret" not in result.out


def test_list_and_check_of_a_directory(run, work):
    """Patterns of a user are listed and checked with the others."""
    (work / "acme.toml").write_text(GOOD)
    assert "pattern  acme-key" in run("patterns", "list", "--patterns", ".").out.decode()
    for args in (["--patterns", "."], ["."]):
        result = run("patterns", "check", *args)
        assert (result.status, result.err) == (0, "jwtleak: all patterns are well\n")


def test_check_refuses(run, work):
    """A pattern that does not do what it says is refused with its file and id: status 2."""
    (work / "acme.toml").write_text(GOOD.replace("acme_short", "acme_0123456789abcdef"))
    result = run("patterns", "check", ".")
    assert result.status == 2
    assert result.err.startswith("jwtleak: error: ")
    assert "acme-key" in result.err


def test_a_hit_is_an_alert(scan, work):
    """A user pattern's hit is redacted and alerted like a token."""
    (work / "p").mkdir()
    (work / "p" / "acme.toml").write_text(GOOD)
    (work / "a.log").write_text("key=acme_0123456789abcdef\n")
    (alert,) = scan("--patterns=p", "a.log").alerts
    assert (alert["pattern"], alert["severity"], alert["token"]["kind"]) == (
        "acme-key",
        "high",
        "pattern",
    )
    assert "0123456789abcdef" not in str(alert)
    assert "ACME key" in scan("--patterns=p", "--format=table", "a.log").out.decode()
