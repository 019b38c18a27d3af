"""Configuration files: typed, and errors that name the file and the key."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from minting import jws

from jwtleak import typed_toml
from jwtleak.errors import UsageError


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section."""

    url: str
    batch: int = 1


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole file."""

    sink: tuple[Inner, ...] = ()


def test_sections_are_typed(tmp_path: Path) -> None:
    """Tables become typed sections, with their defaults."""
    path = tmp_path / "jwtleak.toml"
    path.write_text('[[sink]]\nurl = "stdout"\n')
    assert typed_toml.read(path, Document) == Document((Inner("stdout", 1),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[sink]]\nurl = 1\n", "sink[0].url: expected `str`, got `int`"),
        ('[[sink]]\nurl = "x"\nbach = 2\n', "sink[0]: object contains unknown field `bach`"),
        ("[sinks]\n", "object contains unknown field `sinks`"),
        ("[[sink\n", "is not TOML"),
        (None, "cannot be read: no such file or directory"),
    ],
)
def test_errors_name_the_key(tmp_path: Path, text: str | None, said: str) -> None:
    """A mistake is reported with the file and the key."""
    path = tmp_path / "jwtleak.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError) as error:
        typed_toml.read(path, Document)
    assert said in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["{0}", "a = {0}", 'a = "{0}', "{0} = 1\n{0} = 2", "[a]\n{1} = 1\n{1} = 2", "[{0}]\n[{0}]"],
)
def test_errors_show_nothing_of_a_document_that_is_broken(tmp_path: Path, text: str) -> None:
    """Somebody may have pasted a token into it: the line and column are enough."""
    path = tmp_path / "jwtleak.toml"
    token = jws()
    path.write_text(text.format(token, token.split(".")[1]))
    with pytest.raises(UsageError, match="is not TOML") as error:
        typed_toml.read(path, Document)
    assert not any(
        part[at : at + 8] in str(error.value)
        for part in token.split(".")
        for at in range(len(part) - 7)
    )
