"""Loading the tables: complete, typed, and errors that name the entry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jwtleak.errors import PatternError
from jwtleak.patterns import load_tables
from jwtleak.patterns.loader import builtin_directory
from jwtleak.patterns.tables import (
    load_claims,
    load_issuers,
    load_keys,
    load_notes,
    load_sensitive,
    load_servers,
)

NAMES = ("issuers", "public", "keys", "examples", "claims", "servers")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A directory with the tables that come with jwtleak."""
    for name in NAMES:
        shutil.copy(builtin_directory() / f"{name}.toml", tmp_path)
    return tmp_path


def test_all_is_there() -> None:
    """What comes with jwtleak is complete, and read once."""
    known = load_tables()
    assert known is load_tables()
    assert known.keys.secrets
    assert known.servers
    assert (known.weak, known.verifier) == (None, None)
    assert load_sensitive().find({"email": 1}) == ("personal_data:email",)


LOADERS: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("issuers", load_issuers, '[[issuer]]\nid = "x"\n', "issuers.toml: x"),
    ("issuers", load_issuers, "[[use]]\nuse = 5\n", "issuers.toml: use"),
    ("issuers", load_issuers, '[limits]\naccess = "long"\n', "issuers.toml: limits"),
    ("issuers", load_issuers, "[[isuer]]\n", "unknown table 'isuer'"),
    ("public", load_notes, '[[note]]\nid = "x"\neffect = "secret"\n', "public.toml: x"),
    (
        "keys",
        load_keys,
        '[[key]]\nid = "x"\nreference = "r"\n',
        "keys.toml: x: one of key and base64",
    ),
    (
        "keys",
        load_keys,
        '[[key]]\nid = "x"\nreference = "r"\nbase64 = "!"\n',
        "keys.toml: x: base64",
    ),
    ("examples", load_keys, "[[example]]\nwhere = 5\n", "examples.toml"),
    ("claims", load_claims, '[[personal]]\nkind = "x"\nnames = 5\n', "claims.toml: personal x"),
    ("claims", load_claims, "[[public]]\n", "unknown table 'public'"),
    ("servers", load_servers, '[[server]]\nid = "x"\n', "servers.toml: x"),
]


@pytest.mark.parametrize(
    ("name", "load", "text", "problem"),
    LOADERS,
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_broken_tables(
    copy: Path, name: str, load: Callable[[Path], object], text: str, problem: str
) -> None:
    """A broken entry is an error that names the file and the entry."""
    load(copy)
    (copy / f"{name}.toml").write_text(text, encoding="utf-8")
    with pytest.raises(PatternError, match=problem):
        load(copy)
