"""The documents are built without a warning, link to nothing that is not there, and load nothing
from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from batonbox_server.gen import ROOT

# What a browser loads by itself, by element and attribute; links that people follow are no such.
LOADED = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("img", "src"),
    ("img", "srcset"),
    ("input", "src"),
    ("link", "href"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("use", "href"),
    ("video", "src"),
}
ELSEWHERE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
IN_CSS = re.compile(r"(?:url\(\s*|@import\s+)['\"]?((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)
IN_CODE = re.compile(r"""(?:src|href)\s*=\s*[`"']https?://|import\(?\s*[`"']https?://""")


class Page(HTMLParser):
    """What a page loads, where it links to, and which places there are in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        for name, value in attrs:
            if (tag, name) in LOADED and value:
                self.loads.append(value)
            elif (tag, name) == ("a", "href") and value:
                self.links.append(value)
            elif name == "id" and value:
                self.places.add(value)


def build(source: Path, into: Path) -> None:
    """As `make docs` does."""
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html",
         "-d", into.with_name("doctrees"), "-c", source / "docs", source, into],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make docs` writes."""
    into = tmp_path_factory.mktemp("docs") / "html"
    build(ROOT, into)
    return into


def loaded_from_elsewhere(site: Path) -> list[tuple[str, str]]:
    """Whatever its pages, sheets and scripts would fetch from another place."""
    found = []
    for path in sorted(site.rglob("*.*")):
        name = str(path.relative_to(site))
        if path.suffix == ".html":
            text = path.read_text(encoding="utf-8")
            wanted = [url for url in Page(text).loads if ELSEWHERE.match(url)]
            found += [(name, url) for url in [*wanted, *IN_CSS.findall(text)]]
        elif path.suffix == ".css":
            found += [(name, url) for url in IN_CSS.findall(path.read_text(encoding="utf-8"))]
        elif path.suffix == ".js":
            found += [(name, url) for url in IN_CODE.findall(path.read_text(encoding="utf-8"))]
    return found


def links_to_nowhere(site: Path) -> list[tuple[str, str]]:
    """Links within it whose file or place is not there."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = unquote(parts.fragment)
            known = pages[there].places | {""} if there in pages else {place}
            if not there.is_file() or place not in known:
                found.append((str(path.relative_to(site)), link))
    return found


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    assert loaded_from_elsewhere(site) == []


def test_every_link_leads_somewhere(site: Path) -> None:
    assert links_to_nowhere(site) == []


def test_its_front_page_leads_to_every_page(site: Path) -> None:
    assert (site / "index.html").is_file()
    front = (site / "docs/index.html").read_text(encoding="utf-8")
    paths = [unquote(urlsplit(link).path) for link in Page(front).links]
    listed = {(site / "docs" / path).resolve() for path in paths}
    built = {p for p in site.rglob("*.html") if p.name not in {"genindex.html", "search.html"}}
    assert built - listed <= {site / "index.html", site / "docs/index.html"}


SMALL = {"docs/conf.py": (ROOT / "docs/conf.py").read_text(), "docs/_root/index.html": "<p>to it"}


def test_what_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    wrong = {
        "[there](nowhere-1.md)": "nowhere-1.md",
        "[there](other.md#nowhere-2)": "nowhere-2",
        "```{toctree}\nnowhere-3\n```": "nowhere-3",
        "![shown](nowhere-4.png)": "nowhere-4.png",
    }
    other = "---\norphan: true\n---\n# Other\n"
    pages = {"docs/index.md": "# A page\n\n" + "\n\n".join(wrong), "docs/other.md": other}
    for name, content in (SMALL | pages).items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    with pytest.raises(AssertionError) as failed:
        build(tmp_path / "source", tmp_path / "html")
    assert [says for says in wrong.values() if says not in str(failed.value)] == []


ELSEWHERES = [
    '<script src="https://cdn.example.com/x.js"></script>',
    '<link rel="stylesheet" href="//fonts.example.com/a.css">',
    '<img src="http://example.com/a.png">',
    "<style>@import 'https://example.com/a.css'</style>",
]


@pytest.mark.parametrize("html", ELSEWHERES)
def test_what_would_be_loaded_is_noticed(tmp_path: Path, html: str) -> None:
    (tmp_path / "a.html").write_text(html, encoding="utf-8")
    assert len(loaded_from_elsewhere(tmp_path)) == 1


def test_a_link_to_nowhere_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#x">b</a><a href="c.html">c</a>')
    (tmp_path / "b.html").write_text("<p id=y>")
    assert [link for _, link in links_to_nowhere(tmp_path)] == ["b.html#x", "c.html"]
