"""Errors are fit to be shown."""

from __future__ import annotations

import errno
import os

import pytest
from minting import jws

import jwtleak
from jwtleak.errors import (
    DeliveryError,
    JwtleakError,
    PatternError,
    SourceError,
    StoreCorrupt,
    StoreError,
    StoreFull,
    UsageError,
    WorkerError,
    place_of,
    reason_of,
)


@pytest.mark.parametrize(
    "kind",
    [UsageError, PatternError, WorkerError, DeliveryError, StoreError, StoreFull, StoreCorrupt],
)
def test_one_base(kind: type[JwtleakError]) -> None:
    """Every error meant for people is a JwtleakError and says its text."""
    error = kind("pattern x: regex: bad")
    assert isinstance(error, JwtleakError)
    assert str(error) == "pattern x: regex: bad"


def test_source_error_names_the_path() -> None:
    """A source error says which path and why, and gives both apart."""
    error = SourceError("a/b.gz", "crc mismatch")
    assert str(error) == "a/b.gz: crc mismatch"
    assert (error.path, error.reason) == ("a/b.gz", "crc mismatch")
    assert isinstance(error, JwtleakError)


def test_reason_is_the_system_s_text_in_lower_case() -> None:
    """The text of each errno begins in lower case and is otherwise the system's; lowered, it is
    what the sinks have always shown.
    """
    for number in errno.errorcode:
        error = OSError(number, os.strerror(number), "a/path")
        assert reason_of(error) == os.strerror(number)[:1].lower() + os.strerror(number)[1:]
        assert reason_of(error).lower() == os.strerror(number).lower()
    assert reason_of(OSError(errno.EREMOTEIO, "Remote I/O error")) == "remote I/O error"


def test_reason_without_a_text_of_the_system() -> None:
    """An OSError that Python made says its own text, unless the caller has a better one; a NUL in a
    path has one wording in every version of Python.
    """
    assert reason_of(TimeoutError("Timed out")) == "timed out"
    assert reason_of(TimeoutError("timed out"), "TimeoutError") == "timeoutError"
    assert reason_of(ValueError("embedded null character in path")) == "embedded null byte"


def test_type_and_place_without_a_value() -> None:
    """`place_of` names the type, the module and the line of the deepest own frame, and never the
    text of the exception.
    """
    with pytest.raises(AttributeError) as raised:
        jwtleak.alert(jws(), now=0, key=b"", name="0" * 40)  # type: ignore[arg-type]
    assert place_of(raised.value).startswith(
        "internal error: AttributeError at jwtleak.alerts.builder:"
    )


def test_a_failure_of_others() -> None:
    """Without an own frame there is no place."""
    assert place_of(ValueError("secret")) == "internal error: ValueError at ?"
