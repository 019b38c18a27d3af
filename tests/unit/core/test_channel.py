"""Channels, by the rules that come with jwtleak."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtleak.core.channel import ChannelRule, Channels
from jwtleak.errors import PatternError
from jwtleak.patterns import load_channels
from jwtleak.types import Channel

RULES = load_channels()
CHANNELS = Channels(RULES)
CLF = '203.0.113.9 - - [15/Jan/2026:12:02:31 +0000] "'
AGENT = ' HTTP/1.1" 200 12 "-" "Mozilla/5.0"'


@pytest.mark.parametrize(
    ("line", "kind", "name"),
    [
        (CLF + "GET /cb?access_token=@" + AGENT, "url_query", "access_token"),
        (CLF + "GET /cb?a=1&token=@" + AGENT, "url_query", "token"),
        (CLF + "GET https://lb:443/cb?token=@" + AGENT, "url_query", "token"),
        (CLF + "GET /cb?a=/x?b=1&token=@" + AGENT, "url_query", "token"),
        (CLF + "GET /cb?a=1;jwt=@" + AGENT, "url_query", "jwt"),
        (CLF + "GET /cb?access_token=Bearer%20@" + AGENT, "url_query", "access_token"),
        (CLF + "GET /cb?" + "x" * 500 + "=1&token=@" + AGENT, "url_query", "token"),
        (CLF + "GET /login?next=%2Fcb%3Ftoken%3D@" + AGENT, "url_query", "token"),
        (CLF + "GET /login?next=%2Fcb%3Fa%3D1%26token%3D@" + AGENT, "url_query", "token"),
        ("GET /cb?a=1&amp;token=@", "url_query", "token"),
        (r'{"url":"/cb?a=1\u0026token=@"}', "url_query", "token"),
        (r"/cb\x3Ftoken\x3D@", "url_query", "token"),
        ("/cb?user%5Bjwt%5D=@", "url_query", "user%5Bjwt%5D"),
        ("/cb?authorization=@", "url_query", "authorization"),
        ("2026-01-15 12:02:31 10.0.0.1 GET /cb token=@ 443 -", "url_query", "token"),
        ("…cut&token=@", "url_query", "token"),
        ("https://a.example/cb#id_token=@&x=1", "url_fragment", "id_token"),
        ("https://a.example/cb#state=1&id_token=@", "url_fragment", "id_token"),
        ("#access_token=@", "url_fragment", "access_token"),
        ("https://a.example/#/cb?token=@", "url_fragment", "token"),
        ("https://a.example/cb#@", "url_fragment", None),
        ("next=%2Fcb%23id_token%3D@", "url_fragment", "id_token"),
        (CLF + "GET /verify/@" + AGENT, "url_path", None),
        ("https:\\/\\/a.example\\/reset\\/@", "url_path", None),
        ("next=%2Fverify%2F@", "url_path", None),
        ("GET /app;jsessionid=@", "url_path", "jsessionid"),
        (
            CLF + 'GET / HTTP/1.1" 200 12 "https://a.example/cb?token=@" "Mozilla/5.0"',
            "referer",
            "token",
        ),
        (CLF + 'GET / HTTP/1.1" 304 - "https://a.example/cb?a=1&token=@" "-"', "referer", "token"),
        (CLF + 'GET / HTTP/1.1" 200 12 "https://a.example/i/@" "-"', "referer", "Referer"),
        ("Referer: https://a.example/cb?token=@", "referer", "token"),
        ("Referer: https://a.example/i/@", "referer", "Referer"),
        ('{"referrer":"https://a.example/cb#id_token=@"}', "referer", "id_token"),
        ("Authorization: Bearer @", "authorization_header", "Authorization"),
        ("authorization: bearer @", "authorization_header", "Authorization"),
        ("Authorization: DPoP @", "authorization_header", "Authorization"),
        ("Authorization: @", "authorization_header", "Authorization"),
        ("authorization=Bearer @", "authorization_header", "Authorization"),
        ('{"authorization":"Bearer @"}', "authorization_header", "Authorization"),
        (r"{\"Authorization\":\"Bearer @\"}", "authorization_header", "Authorization"),
        ('["Authorization", "Bearer @"]', "authorization_header", "Authorization"),
        ("(b'authorization', b'Bearer @')", "authorization_header", "Authorization"),
        ("map[Authorization:[Bearer @] X:[1]]", "authorization_header", "Authorization"),
        ('HTTP_AUTHORIZATION="Bearer @"', "authorization_header", "Authorization"),
        ("Proxy-Authorization: Bearer @", "authorization_header", "Proxy-Authorization"),
        (
            "x-forwarded-authorization: Bearer @",
            "authorization_header",
            "X-Forwarded-Authorization",
        ),
        (
            "X-Serverless-Authorization: Bearer @",
            "authorization_header",
            "X-Serverless-Authorization",
        ),
        ("sent Bearer @", "authorization_header", None),
        ("Cookie: sid=1; session=@", "cookie", "session"),
        ("Cookie: session=@", "cookie", "session"),
        ("cookie: cookie_consent=1; session=@", "cookie", "session"),
        ("Set-Cookie: session=@; Path=/", "cookie", "session"),
        ('{"set-cookie":["__Host-jwt=@; Secure"]}', "cookie", "__Host-jwt"),
        ("cookies={'session': '@'}", "cookie", "session"),
        ('{"cookies":[{"name":"sid","value":"@"}]}', "cookie", "sid"),
        ("example.com\tTRUE\t/\tTRUE\t0\tsid\t@", "cookie", "sid"),
        ('"-" "a=1; session=@"', "cookie", "session"),
        ("X-Auth-Token: @", "header", "X-Auth-Token"),
        ("X-Amzn-Oidc-Data: @", "header", "X-Amzn-Oidc-Data"),
        ('{"x-api-key": "@"}', "header", "x-api-key"),
        ("DPoP: @", "header", "DPoP"),
        ("Sec-WebSocket-Protocol: bearer, @", "header", "Sec-WebSocket-Protocol"),
        ('{"access_token":"@"}', "json_field", "access_token"),
        ('{"a":{"jwt": "@"}}', "json_field", "jwt"),
        ("{'id_token': '@'}", "json_field", "id_token"),
        (r"{\"token\":\"@\"}", "json_field", "token"),
        (r"{\\\"jwt\\\":\\\"@\\\"}", "json_field", "jwt"),
        ('""token"":""@""', "json_field", "token"),
        (r"{\x22token\x22:\x22@\x22}", "json_field", "token"),
        ("{&quot;token&quot;:&quot;@", "json_field", "token"),
        ('{"tokens":["@"]}', "json_field", "tokens"),
        ('{"token":"Bearer @"}', "json_field", "token"),
        ("  id_token: @", "json_field", "id_token"),
        ("[getToken][success][USER TOKEN: @]", "json_field", "TOKEN"),
        ("<access_token>@</access_token>", "json_field", "access_token"),
        ("level=info token=@", "form_field", "token"),
        ('level=info token="@"', "form_field", "token"),
        ("grant_type=jwt&assertion=@", "form_field", "assertion"),
        ('body="grant_type=jwt&assertion=@"', "form_field", "assertion"),
        ('<input type="hidden" name="id_token" value="@"/>', "form_field", "id_token"),
        ("level=error msg=x token=@", "form_field", "token"),
        ("JWT expired: @", "error_message", None),
        ("JsonWebTokenError: jwt malformed: @", "error_message", None),
        ("java.lang.IllegalArgumentException: bad token @", "error_message", None),
        ('{"msg":"invalid token: @"}', "error_message", None),
        ("the token @ is expired", "error_message", None),
        ('localStorage.setItem("auth.token", "@")', "storage", "auth.token"),
        ('localStorage["jwt"] = "@"', "storage", "jwt"),
        ('{"localStorage":{"theme":"dark","jwt":"@"}}', "storage", "jwt"),
        ('"localStorage":[{"name":"jwt","value":"@"}]', "storage", "jwt"),
        ("key: auth.token value: @", "storage", "auth.token"),
        ("_https://a.example\0\x01jwt\x01@", "storage", "jwt"),
        ("@", "unknown", None),
        ("hello @", "unknown", None),
        ("INFO: @", "unknown", None),
        ("12:02:31 @", "unknown", None),
    ],
)
def test_places(line: str, kind: str, name: str | None) -> None:
    """A token's place is named by the text around it."""
    before, _, after = line.encode().partition(b"@")
    assert CHANNELS.classify(before, after) == Channel(kind, name)  # type: ignore[arg-type]


def test_names_are_clean_and_short() -> None:
    """A name carries no control characters and at most 64 characters."""
    assert CHANNELS.classify(b'{"a\x1b\xc2\x9bb":"', b'"').name == "ab"
    assert CHANNELS.classify(b'{"' + b"name_" * 20 + b'":"', b'"').name == ("name_" * 20)[:64]


def test_first_rule_wins() -> None:
    """The order of the rules is their precedence."""
    rules = [
        ChannelRule(id=kind, type=kind, regex="x", keywords=("x",)) for kind in ("cookie", "header")
    ]  # type: ignore[arg-type]
    assert Channels(rules).classify(b"x", b"").type == "cookie"


def test_keyword_and_ends_are_required() -> None:
    """A rule is not tried without one of its keywords, nor behind a byte that it does not list."""
    rule = ChannelRule(id="a", type="cookie", regex=".", keywords=("kw",), ends="=")
    channels = Channels([rule])
    assert channels.classify(b"KW=", b"").type == "cookie"
    assert channels.classify(b"k=", b"").type == "unknown"
    assert channels.classify(b"kw:", b"").type == "unknown"


def test_bad_expression_names_its_rule() -> None:
    """An expression that is none is refused by its rule's id."""
    with pytest.raises(PatternError, match="channel broken: regex"):
        Channels([ChannelRule(id="broken", type="cookie", regex="(", keywords=("x",))]).check()


@given(st.binary(max_size=400), st.binary(max_size=40))
def test_never_raises(before: bytes, after: bytes) -> None:
    """No bytes make it raise."""
    CHANNELS.classify(before, after)


PIECES = [
    b"cookie:",
    b"a=",
    b"; ",
    b"?",
    b"&",
    b"%3F",
    b"%26",
    b"#",
    b"%23",
    b'"',
    b"\\",
    b"localStorage",
    b'{"name":"',
    b"referer:",
    b"http://",
    b" 200 1 ",
    b"error ",
    b"token",
    b"authorization",
    b"x-a",
    b": ",
    b"value",
    b"key",
    b";",
]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("end", [b"", b"=", b'"', b"D", b" ", b'="', b"0"])
def test_hostile_text_is_bounded(piece: bytes, end: bytes) -> None:
    """A kilobyte written to be costly takes no more than a few milliseconds of this process."""
    before = (piece * 1024)[: 1024 - len(end)] + end
    began = time.process_time()
    CHANNELS.classify(before, b"")
    assert time.process_time() - began < 0.02


@settings(max_examples=50)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4))
def test_hostile_mixtures_are_bounded(pieces: list[bytes]) -> None:
    """Nor does any repetition of a few of the pieces."""
    began = time.process_time()
    CHANNELS.classify((b"".join(pieces) * 1024)[:1023] + b"=", b"")
    assert time.process_time() - began < 0.05


@pytest.mark.parametrize("after", [None, "&x"])
def test_check_accepts_good_rules(after: str | None) -> None:
    """Rules whose expressions compile are no error, with a text behind the token and without."""
    rule = ChannelRule(id="good", type="url_query", regex="t=", keywords=("t=",), after=after)
    Channels([rule]).check()


@pytest.mark.parametrize(("regex", "after"), [("(", None), ("t=", "(")])
def test_check_names_a_bad_rule(regex: str, after: str | None) -> None:
    """An expression that does not compile is an error that names its rule."""
    rule = ChannelRule(id="bad", type="url_query", regex=regex, keywords=("t=",), after=after)
    with pytest.raises(PatternError, match=r"channel bad: regex: "):
        Channels([rule]).check()


def test_a_name_that_is_not_there() -> None:
    """Where the group `name` matched nothing, the channel has no name."""
    rule = ChannelRule(
        id="r", type="json_field", regex=r"(?P<name>[a-z]+)?\[0\]=", keywords=("[0]=",)
    )
    channels = Channels([rule])
    assert channels.classify(b"jwt[0]=", b"") == Channel("json_field", "jwt")
    assert channels.classify(b"1 [0]=", b"") == Channel("json_field")
