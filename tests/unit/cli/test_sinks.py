"""Which sinks a command line names."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwtleak.cli.sinks import chosen
from jwtleak.errors import UsageError


def test_urls_and_a_configuration(tmp_path: Path) -> None:
    """Those of the URLs first; other tables of the file are for others."""
    path = tmp_path / "jwtleak.toml"
    path.write_text(
        '[tail]\npaths = ["/x"]\n[[sink]]\nurl = "file:/b"\nwhen = \'severity == "high"\'\n'
    )
    assert [one.title for one in chosen(["file:/a"], str(path))] == ["file:/a", "file:/b"]
    assert chosen([], None) == []


def test_what_is_wrong_names_file_and_table(tmp_path: Path) -> None:
    """A file that is not there, and a table with a mistake."""
    path = tmp_path / "jwtleak.toml"
    with pytest.raises(UsageError, match=r"jwtleak\.toml: cannot be read"):
        chosen([], str(path))
    path.write_text('[[sink]]\nurl = "stdout"\n[[sink]]\nurl = "stdout"\npassword = "pa55word"\n')
    with pytest.raises(
        UsageError, match=r"jwtleak\.toml: sink\[1\]: password: a credential is not written here"
    ):
        chosen([], str(path))
