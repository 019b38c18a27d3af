"""What a plain scan does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest
from minting import jws

# Each takes milliseconds to load, and a scan of plain text that finds nothing needs none of them.
HEAVY = {
    "ast",
    "asyncio",
    "bz2",
    "hashlib",
    "html.entities",
    "httpx",
    "isal",
    "json",
    "jwt",
    "logging",
    "lz4",
    "lzma",
    "multiprocessing",
    "pathlib",
    "queue",
    "regex",
    "rich",
    "rtoml",
    "secrets",
    "sqlite3",
    "ssl",
    "tempfile",
    "typing_extensions",
    "urllib.parse",
    "watchdog",
    "zstandard",
}
PROGRAM = """
import sys
from jwtleak.cli.main import run
try:
    run(["scan", "--jobs=2", "a.log"])
except SystemExit:
    print(*sys.modules, file=sys.stderr)
"""


# What reading tables and headers loads (orjson brings `json` along); what pathlib brings along
# varies from one version of Python to the next.
NEEDED = {"pathlib", "rtoml", "json"}
ALLOWED = NEEDED | {"urllib.parse"}


@pytest.mark.parametrize(
    ("text", "needed", "allowed"),
    [("nothing\n", set(), set()), (f"GET /?t={jws()} x\n", NEEDED, ALLOWED)],
)
def test_what_a_scan_needs_not_is_not_loaded(environment, work, text, needed, allowed):
    """Nothing heavy is loaded for a plain file; a token in it asks for tables, which are TOML."""
    (work / "a.log").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert needed <= HEAVY & set(done.stderr.split()) <= allowed


def test_what_waits_is_loaded_when_it_is_asked(environment):
    """A module that something stands for is the real one once it is asked for anything;
    `typing_extensions` is not kept away.
    """
    code = """
import sys
from jwtleak.cli.main import main
main.get_command(None, "scan")
import inspect
assert "ast" not in sys.modules
assert inspect.cleandoc(" a") == "a"
assert "ast" in sys.modules
import inspect as again
assert type(again) is type(sys) and again.cleandoc is inspect.cleandoc
import msgspec
assert type(msgspec.inspect).__name__ == "_Later"
assert msgspec.inspect.type_info(int) == msgspec.inspect.IntType()
import typing_extensions
"""
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
