"""Walking directories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jwtleak.errors import UsageError
from jwtleak.sources.globs import GlobFilter
from jwtleak.sources.interface import Notice
from jwtleak.sources.walk import walk


def _walk(*paths: Path, **kwargs: list[str]) -> tuple[list[str], list[Notice]]:
    """Paths relative to the first one's parent, and notices."""
    notices: list[Notice] = []
    found = walk(map(str, paths), GlobFilter(**kwargs), notice=notices.append)
    return [os.path.relpath(entry.path, paths[0].parent) for entry in found], notices


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with hidden files, subdirectories and odd names."""
    root = tmp_path / "root"
    for name in (
        "b/z.log",
        "b/a.log",
        "a.log",
        ".hidden/x",
        "c.log.gz",
        "b.log",
        "node_modules/deep/y.log",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"12345")
    return root


def test_sorted_and_hidden_too(tree: Path):
    """Every regular file comes, hidden ones too, in the order of the bytes of their names."""
    names, notices = _walk(tree)
    assert names == [
        f"root/{n}"
        for n in (
            ".hidden/x",
            "a.log",
            "b/a.log",
            "b/z.log",
            "b.log",
            "c.log.gz",
            "node_modules/deep/y.log",
        )
    ]
    assert notices == []


def test_entry_tells_size_and_time(tree: Path):
    """An entry has the file's size in bytes and its time in milliseconds."""
    os.utime(tree / "a.log", ns=(0, 1_700_000_000_123_000_000))
    entry = next(iter(walk([str(tree / "a.log")], notice=pytest.fail)))
    assert (entry.size, entry.mtime_ms) == (5, 1_700_000_000_123)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.log"], [], ["a.log", "b/a.log", "b/z.log", "b.log", "node_modules/deep/y.log"]),
        ([], ["*.log", ".*"], ["c.log.gz"]),
        (["*.log"], ["a.*", "node_modules"], ["b/z.log", "b.log"]),
        (["b/*"], [], ["b/a.log", "b/z.log"]),
        (["**/*.log"], [], ["a.log", "b/a.log", "b/z.log", "b.log", "node_modules/deep/y.log"]),
        ([], ["node_modules/**", "b/"], [".hidden/x", "a.log", "b.log", "c.log.gz"]),
        (
            ["[ab].log", "?.log"],
            ["b/[!a].log"],
            ["a.log", "b/a.log", "b.log", "node_modules/deep/y.log"],
        ),
    ],
)
def test_globs(tree: Path, include: list[str], exclude: list[str], expected: list[str]):
    """Exclude wins over include; a pattern without a slash is about the base name."""
    assert _walk(tree, include=include, exclude=exclude)[0] == [f"root/{name}" for name in expected]


def test_invalid_glob_is_a_usage_error(tree: Path):
    """A glob that means nothing is refused."""
    with pytest.raises(UsageError, match="invalid glob"):
        _walk(tree, include=["[z-a]"])


def test_special_files_are_reported_and_skipped(tree: Path):
    """Pipes and sockets are skipped with a notice that says what they are."""
    os.mkfifo(tree / "pipe")
    names, notices = _walk(tree, include=["pipe"])
    assert names == []
    assert [(n.kind, n.reason) for n in notices] == [("skipped", "named pipe")]


def test_links_loop_safely(tree: Path):
    """A link to a directory above ends the walk there, and no file comes twice."""
    before = _walk(tree)[0]
    (tree / "b" / "up").symlink_to(tree)
    (tree / "b" / "self").symlink_to(".")
    (tree / "again.log").symlink_to("a.log")
    assert _walk(tree) == (before, [])


def test_links_lead_outside(tree: Path, tmp_path: Path):
    """What links outside the tree lead to is read once, under the name of the first link."""
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / "o.log").write_bytes(b"o")
    (outside / "back").symlink_to(tree)
    (tree / "b" / "out").symlink_to(outside)
    (tree / "b" / "out2").symlink_to(outside)
    (tree / "b" / "part").symlink_to(outside / "sub")
    (tree / "x.log").symlink_to(outside / "sub" / "o.log")
    names, notices = _walk(tree)
    assert [name for name in names if name.endswith("o.log")] == ["root/b/out/sub/o.log"]
    assert len(names) == 8
    assert notices == []


def test_file_linked_before_its_tree(tree: Path, tmp_path: Path):
    """A file that came for a link does not come again when another link opens its directory."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "o.log").write_bytes(b"o")
    (tree / "0").symlink_to(outside / "o.log")
    (tree / "zz").symlink_to(outside)
    assert [n for n in _walk(tree)[0] if n.startswith(("root/0", "root/zz"))] == ["root/0"]


def test_excluded_place_does_not_hide_what_a_link_shows(tree: Path):
    """A link to a file that the walk itself leaves out is followed."""
    (tree / "link.log").symlink_to("node_modules/deep/y.log")
    assert "root/link.log" in _walk(tree, exclude=["node_modules"])[0]


def test_overlapping_arguments(tree: Path):
    """A path named twice, or below another one that is named, comes once."""
    assert sorted(_walk(tree, tree, tree / "b", tree / "a.log")[0]) == sorted(_walk(tree)[0])


def test_hard_links_are_separate_paths(tree: Path):
    """Each name of a file is a place of its own."""
    os.link(tree / "a.log", tree / "a2.log")
    assert "root/a2.log" in _walk(tree)[0]


def test_missing_and_broken_are_reported(tree: Path):
    """A missing path, a NUL in a path, and a link to nothing are unreadable; the rest is walked."""
    (tree / "broken").symlink_to("nowhere")
    names, notices = _walk(tree, tree.parent / "missing", Path("nul\0"))
    assert len(names) == 7
    assert {n.reason for n in notices} == {"no such file or directory", "embedded null byte"}
    assert {n.kind for n in notices} == {"unreadable"}


def test_unreadable_directory_is_reported(tree: Path, monkeypatch: pytest.MonkeyPatch):
    """A directory that cannot be listed is reported, and the walk goes on."""
    real = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    names, notices = _walk(tree)
    assert len(names) == 5
    assert [(n.kind, n.reason) for n in notices] == [("unreadable", "permission denied")]


def test_names_that_are_not_utf8(tmp_path: Path):
    """A name of arbitrary bytes can be opened."""
    with open(os.path.join(os.fsencode(tmp_path), b"\xff\n.log"), "wb") as file:
        file.write(b"x")
    (entry,) = walk([str(tmp_path)], GlobFilter(["*.log"]), notice=pytest.fail)
    assert os.fsencode(entry.path).endswith(b"\xff\n.log")
