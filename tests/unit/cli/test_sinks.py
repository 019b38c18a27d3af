"""Which sinks a command line names."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwtleak.cli.options import read_config
from jwtleak.cli.sinks import chosen
from jwtleak.errors import UsageError


def test_urls_replace_those_of_the_configuration(tmp_path: Path) -> None:
    """As for every other option: the command line wins over the file."""
    path = tmp_path / "jwtleak.toml"
    path.write_text(
        '[tail]\npaths = ["/x"]\n[[sink]]\nurl = "file:/b"\nwhen = \'severity == "high"\'\n'
    )
    config = read_config(str(path))
    assert [sink.title for sink in chosen(["file:/a"], config, str(path))] == ["file:/a"]
    assert [sink.title for sink in chosen([], config, str(path))] == ["file:/b"]
    assert chosen([], None, "") == []


def test_what_is_wrong_names_file_and_table(tmp_path: Path) -> None:
    """A file that is not there, and a table with a mistake."""
    path = tmp_path / "jwtleak.toml"
    with pytest.raises(UsageError, match=r"jwtleak\.toml: cannot be read"):
        read_config(str(path))
    path.write_text('[[sink]]\nurl = "stdout"\n[[sink]]\nurl = "stdout"\npassword = "pa55word"\n')
    with pytest.raises(
        UsageError, match=r"jwtleak\.toml: sink\[1\]: password: a credential is not written here"
    ):
        chosen([], read_config(str(path)), str(path))
