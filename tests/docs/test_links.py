"""Pages: links lead somewhere, and nothing in a page belongs to one machine."""

from __future__ import annotations

import re
from pathlib import Path

_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The names that headings can be linked by, as code forges make them."""
    headings = (re.sub(r"[^\w\- ]", "", one.lower()) for one in _HEADING.findall(prose(page)))
    return {heading.strip().replace(" ", "-") for heading in headings}


def test_links_lead_somewhere(page: Path) -> None:
    """Every link inside the repository names a file or directory that exists, and a heading in it
    if it names one.
    """
    for target in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        place = (page.parent / name) if name else page
        assert place.exists(), target
        assert not heading or heading in anchors(place), target


def test_pages_begin_with_a_title(page: Path) -> None:
    """Every page begins with its only title."""
    titles = re.findall(r"^# ", prose(page), re.MULTILINE)
    assert page.read_text(encoding="utf-8").startswith("# ")
    assert len(titles) == 1


def test_every_page_can_be_reached(root: Path) -> None:
    """From the README, links lead to every page."""
    seen: set[Path] = set()
    waiting = [root / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        named = [
            (page.parent / target.partition("#")[0])
            for target in _LINK.findall(prose(page))
            if ":" not in target
        ]
        for place in named:
            waiting += sorted(place.glob("*.md")) if place.is_dir() else [place]
    assert {path.resolve() for path in (root / "docs").rglob("*.md")} <= seen
