"""Errors are fit to be shown."""

from __future__ import annotations

import pickle

import pytest

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


@pytest.mark.parametrize(
    "error", [UsageError("x"), PatternError("x"), WorkerError("x"), SourceError("a", "b")]
)
def test_errors_cross_processes(error: JwtleakError) -> None:
    """A worker can hand an error on: it survives a pickle."""
    again = pickle.loads(pickle.dumps(error))
    assert (repr(again), vars(again)) == (repr(error), vars(error))
