"""URLs of sinks, parsed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtleak.errors import UsageError
from jwtleak.sinks.address import Address, parse


@pytest.mark.parametrize(
    ("url", "address", "settings"),
    [
        ("stdout", Address("stdout"), {}),
        ("stdout?format=cef", Address("stdout"), {"format": "cef"}),
        ("file:/var/log/a", Address("file", path="/var/log/a"), {}),
        ("file:///var/log/a", Address("file", path="/var/log/a"), {}),
        ("file:a/b%3Fc", Address("file", path="a/b?c"), {}),
        ("syslog+unix:/dev/log", Address("syslog+unix", path="/dev/log"), {}),
        ("syslog+tls://h:6514?rfc=5424", Address("syslog+tls", "h", 6514), {"rfc": "5424"}),
        ("hec+https://splunk.test:8088", Address("hec+https", "splunk.test", 8088), {}),
        ("elastic+https://h/es", Address("elastic+https", "h", None, "/es"), {}),
        ("gelf+udp://[::1]:12201", Address("gelf+udp", "::1", 12201), {}),
        ("kafka://a:1,b:2/t", Address("kafka", "a:1,b:2", None, "/t"), {}),
        ("s3://bucket/prefix", Address("s3", "bucket", None, "/prefix"), {}),
    ],
)
def test_urls(url: str, address: Address, settings: dict[str, str]) -> None:
    """The address stands before `?`, settings behind it."""
    assert parse(url) == (address, settings)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "a sink is named by a URL"),
        ("/var/log/a", "a sink is named by a URL"),
        ("file:a\nb", "a sink is named by a URL"),
        ("file:", "needs a path"),
        ("file://host/path", "needs a path"),
        ("stdout://x", "takes no address"),
        ("hec+https://user:pa55word@h", "must not hold credentials"),
        ("hec+https://pa55word@h", "must not hold credentials"),
        ("hec+https://", "names no host"),
        ("hec+https://h:99999", "is not of the form"),
        ("hec+https://h:port", "is not of the form"),
        ("hec+https://h/#f", "has no fragment"),
        ("syslog+tcp://a:1,b:2", "takes one host"),
        ("stdout?x", "are settings"),
        ("stdout?a=1&a=2", "given twice"),
    ],
)
def test_what_is_wrong_is_said_without_the_url(url: str, says: str) -> None:
    """A URL may hold a password by mistake: it is not repeated."""
    with pytest.raises(UsageError) as caught:
        parse(url)
    assert says in str(caught.value)
    assert "pa55word" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("h", False),
        ("127.0.0.1:1,localhost:2", True),
        ("127.0.0.1:1,h:2", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback_is_this_machine(host: str, here: bool) -> None:
    """Names are not looked up: only those that mean this machine by themselves count."""
    assert Address("kafka", host).loopback is here


@pytest.mark.parametrize(
    ("url", "text", "secure"),
    [
        ("hec+https://h:1/p", "hec+https://h:1/p", True),
        ("gelf+tls://[::1]:5", "gelf+tls://[::1]:5", True),
        ("file:/a", "file:/a", False),
        ("stdout", "stdout", False),
        ("otlp+http://localhost", "otlp+http://localhost", False),
    ],
)
def test_an_address_is_written_as_it_was_given(url: str, text: str, secure: bool) -> None:
    """This is the name of a sink without a `name`; encryption is a matter of the scheme."""
    address = parse(url)[0]
    assert (str(address), address.secure) == (text, secure)


def test_the_http_part() -> None:
    """What the client needs of the address."""
    assert parse("hec+https://[::1]:8088/x")[0].http == "https://[::1]:8088"
    assert parse("otlp+http://localhost/x")[0].http == "http://localhost"


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    """Nothing else comes out."""
    for url in (text, f"hec+https://{text}", f"file:{text}", f"kafka://{text}"):
        try:
            address, _ = parse(url)
        except UsageError:
            continue
        assert str(address)
        assert address.loopback in (True, False)
