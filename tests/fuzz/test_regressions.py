"""What the fuzzer found, each as the shortest input that breaks a promise, built from tokens minted
here.
"""

from __future__ import annotations

import base64

import pytest
from fuzz import checks
from minting import b64, jws, kinds, sha256, unsecured

from jwtleak.api import redact

TOKEN = jws()


def test_a_plain_token_keeps_all_promises() -> None:
    """A token in a request line keeps all promises, cut at each of its first 60 bytes."""
    data = b"GET /cb?access_token=" + TOKEN.encode() + b"&x=1\n"
    assert len(checks.check(data, range(1, 60))) == 1


def test_resume_offset_waits_for_a_pretty_header() -> None:
    """A header whose needle comes late is not called judged before the needle is there."""
    data = b"x " * 20 + kinds()["jws pretty"].encode() + b"\n"
    checks.check_resume(data, range(1, len(data)))


def test_resume_offset_waits_for_a_base64_run() -> None:
    """base64 whose needle stands behind its first character is not called judged before the needle
    is there.
    """
    data = b"session=" + b64("id" + TOKEN).encode() + b'" 200\n'
    checks.check_resume(data, range(1, len(data)))


def test_spans_of_two_reads_do_not_overlap() -> None:
    """A base64 run that swallows the first byte of a wide token does not make two findings share a
    byte.
    """
    data = b"session=" + b64(unsecured()).encode()[:34] + TOKEN.encode("utf-32-le")
    checks.check_spans(data, checks.findings(data))


def test_a_base64_run_is_told_once() -> None:
    """What stands in a base64 run is found once, also when the run ends near the end of a read with
    one more needle.
    """
    data = base64.b64encode(b'"eyJhbGci') + b"2lKZNBleUIj\x80\n"
    assert checks.places(checks.findings(data)) == [(1, 11, ("base64",))]


def test_a_time_field_behind_the_token_survives_a_cut() -> None:
    """The time of a line that is no JSON but has a JSON time field far behind its token is the same
    however it is cut.
    """
    data = b"body " + TOKEN.encode() + b"&" + b" x" * 60 + b' {"time":"2026-01-15T12:00:03Z"}'
    checks.check_cuts(data, [data.index(b"{")], checks.findings(data))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32-le"])
def test_little_endian_between_ascii_at_the_end(encoding: str) -> None:
    """A little endian token in an ASCII line is found when a single newline ends the data."""
    data = b"token=" + TOKEN.encode(encoding) + b"\n"
    assert [one.sha256 for one in checks.findings(data)] == [sha256(TOKEN)]
    assert TOKEN[:40].encode(encoding) not in redact(data)


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-32-be"])
def test_big_endian_between_ascii(encoding: str) -> None:
    """A big endian token in an ASCII line keeps its last character."""
    data = b"token=" + TOKEN.encode(encoding) + b" next\n"
    assert [one.sha256 for one in checks.findings(data)] == [sha256(TOKEN)]


def test_a_second_reading_of_what_was_told_hides_nothing() -> None:
    """A cut in front of the last byte leaves the findings of a line with clipped tokens in three
    encodings as they are.
    """
    clipped = b64({"alg": "n"}) + "&#x2E;" + b64('{ "alg": "E6" }') + "\\u002eeyJp\\u002egl4DpP29Uk"
    data = (clipped + unsecured().replace(".", "=2E")[:70] + "\n").encode()
    checks.check_cuts(data, [len(data) - 1], checks.findings(data))


def test_an_excerpt_behind_soft_line_breaks_survives_a_cut() -> None:
    """What an excerpt shows behind a token in quoted-printable is the same however it is cut."""
    data = b"eyJhbGci=\nJ=\n(C"
    checks.check_cuts(data, [len(data) - 1], checks.findings(data))


def test_a_region_does_not_hide_what_stands_before_its_leaks() -> None:
    """A token behind an early anchor of a base64 run, and before what that run hides, is found as
    well.
    """
    first, second = jws({"sub": "first"}), jws({"sub": "second"})
    data = (
        b"ZXlKaGVT"
        + first.replace(".", "=2E").encode()
        + b"=20"
        + base64.b64encode(second.encode())
        + b" \n"
    )
    assert {one.sha256 for one in checks.findings(data)} == {sha256(first), sha256(second)}


def test_a_wide_token_does_not_begin_in_a_split_one() -> None:
    """The last byte of a token that a logger split is not also the first of a token in UTF-16
    behind it.
    """
    record = b"2026-01-15T12:00:00.000000000Z stdout "
    data = (
        b"\n"
        + record
        + b"P x "
        + TOKEN[:60].encode()
        + b"\n"
        + record
        + b"F "
        + TOKEN[60:120].encode()
    )
    data += TOKEN.encode("utf-16-le")
    checks.check_spans(data, checks.findings(data))


def test_two_readings_of_base64_do_not_run_into_each_other() -> None:
    """A token that ends with one reading of a base64 run does not go on in the next reading, as on
    a wrapped line.
    """
    data = (
        b"OaUlzSW5SNWNDSTZJa3BYVkNKOS5leUp1mV5SmhiR2NpT2lKRlV6STFOaUlzSW5SNWNDSTZJa3BYVkNKOS51YjIuTmVvSG93VXg0dFhzTEx2"
        b"Vkk1dkVVTkZYejduMWs1ZVF5YWJPQWd6bTlsQWxTQnZTaEpTWGlPM1ZSdnN3eU9LSU5BWV"
    )
    checks.check_spans(data, checks.findings(data))


def test_a_cut_does_not_free_the_second_record_of_a_split_token() -> None:
    """What a token that is split over records holds is not the beginning of another one, wherever a
    read ends.
    """
    head, inner = b64({"alg": "HS256", "typ": "JWT"}), b64({"alg": "ES256", "typ": "JWT"})
    stamp = "2026-01-15T12:00:00.000000000Z stdout"
    split = f"{stamp} P {head[:20]}\n{stamp} F {head[20:]}.{inner}.\n"
    data = f"{split}Q.{'A' * 40}\n{'A' * 46}~9.eyJ\n.N\0".encode()
    whole = checks.findings(data)
    for cut in range(len(split), len(data)):
        checks.check_cuts(data, [cut], whole)


def test_headers_that_failed_in_another_run_do_not_count() -> None:
    """What is tried in a run of base64url is bounded; the bound begins anew with each, also with
    one that begins as a header.
    """
    tries = b"eyJ" + b64('{"a":{"alg"').encode() * 16 + b"\0eyJhbGciiJ9" + b"eyJhbGci}"
    whole = checks.findings(tries)
    for cut in range(1, len(tries)):
        checks.check_cuts(tries, [cut], whole)


def test_a_token_in_base64_that_something_before_it_led_to() -> None:
    """A header that no needle tells in base64, found since its run was decoded for what stands
    before, waits for its line.
    """
    header = base64.urlsafe_b64encode(b'{\t"alg":"HS256"}').rstrip(b"=")
    data = (
        base64.b64encode(b"ideyJhvL2lkcC50ZXN0LyIsI" + header).rstrip(b"=") + b"\1\0" + b"\xad" * 90
    )
    whole = checks.findings(data)
    assert len(whole) == 1
    for cut in range(1, len(data)):
        checks.check_cuts(data, [cut], whole)


def test_records_of_two_runtimes_among_each_other() -> None:
    """Tokens that two container runtimes split into one file are found both, and share no byte of
    their own.
    """
    first, second = jws({"n": 1}), jws({"n": 2})
    time = "2026-01-15T12:00:00.000000000Z"

    def docker(text: str, end: str = "") -> str:
        return f'{{"log":"{text}{end}","stream":"stdout","time":"{time}"}}\n'

    log = (
        docker(first[:30])
        + f"{time} stdout P x {second[:40]}\n"
        + docker(first[30:], "\\n")
        + f"{time} stdout F {second[40:]} y\n"
    )
    found = checks.check(log.encode(), [0, len(log) // 2])
    assert [(one.sha256, one.encodings) for one in found] == [
        (sha256(first), ("docker",)),
        (sha256(second), ("cri",)),
    ]
    assert found[1].offset < found[0].offset + found[0].length < found[1].offset + found[1].length
