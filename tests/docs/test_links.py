"""Whoever follows a link arrives, and every page can be found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import ROOT, anchors, links, pages


def _broken(page: Path) -> Iterator[str]:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        where = f"{page.relative_to(ROOT)} → {link}"
        if not target.exists():
            yield f"{where}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{where}: no such heading"


def test_internal_links_arrive() -> None:
    assert [broken for page in pages() for broken in _broken(page)] == []


def test_every_page_can_be_found_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md" and page.is_file():
            seen.add(page)
            targets = (link.partition("#")[0] for link in links(page))
            waiting += [(page.parent / target).resolve() for target in targets if target]
    assert [str(page.relative_to(ROOT)) for page in pages() if page not in seen] == []
