"""What click makes of arguments, in the voice of this program."""

from __future__ import annotations

import pytest

from jwtleak.cli.group import invoke, main


def test_every_command_is_there() -> None:
    """Each name in the list of commands loads a command of that name."""
    for name in main.list_commands(None):  # type: ignore[arg-type]
        command = main.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.name == name


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["scan", "--jobs", "x", "."], "jwtleak: error: invalid value for '--jobs' / '-j': 'x' is not a valid integer range"),
        (["scan", "--jobs=0", "."], "jwtleak: error: invalid value for '--jobs' / '-j': 0 is not in the range 1<=x<=256"),
        (["scan", "--nothing"], "jwtleak: error: no such option '--nothing'"),
        (["scan", "--output=.", "."], "jwtleak: error: invalid value for '--output' / '-o': file '.' is a directory"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], args: list[str], said: str) -> None:
    """Wrong usage is status 2, a line that says why, and a hint."""
    assert invoke(args) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith(said)
    assert hint == "jwtleak: hint: see jwtleak scan --help"


def test_args_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """click takes arguments out of a copy."""
    args = ["--version"]
    assert invoke(args) == 0
    assert args == ["--version"]
