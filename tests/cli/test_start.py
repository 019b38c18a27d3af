"""What a plain scan does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest
from minting import jws

# Each takes milliseconds to load, and a scan of plain text that finds nothing needs none of them.
HEAVY = {
    "asyncio", "bz2", "hashlib", "html.entities", "httpx", "isal", "json", "jwt", "logging", "lz4", "lzma", "multiprocessing",
    "pathlib", "queue", "regex", "rich", "rtoml", "secrets", "sqlite3", "ssl", "tempfile", "urllib.parse", "watchdog", "zstandard",
}  # fmt: skip
PROGRAM = """
import sys
from jwtleak.cli.main import run
try:
    run(["scan", "--jobs=2", "a.log"])
except SystemExit:
    print(*sys.modules, file=sys.stderr)
"""


TABLES = {"pathlib", "rtoml", "urllib.parse"}


@pytest.mark.parametrize(("text", "needed"), [("nothing\n", set()), (f"GET /?t={jws()} x\n", TABLES)])
def test_what_a_scan_needs_not_is_not_loaded(environment, work, text, needed):
    """Nothing heavy is loaded for a plain file; a token in it asks for tables, which are TOML."""
    (work / "a.log").write_text(text)
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=work, env=environment, capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stderr.split()) == needed
