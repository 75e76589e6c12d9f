"""Both distributions have one version, and the changelog and what was kept go with it."""

from __future__ import annotations

import re
import tomllib

import batonbox
import batonbox_server
from tests.release.building import PROJECTS, ROOT
from tests.release.keeping import KEPT

# In the order in which they may stand; see Keep a Changelog.
SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_there_is_one_version() -> None:
    said = {
        tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "version"
        ]
        for project in PROJECTS.values()
    }
    assert said == {batonbox.__version__, batonbox_server.__version__}
    assert len(said) == 1


def test_the_changelog_has_the_form_that_it_says() -> None:
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.M)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - \d{4}-\d\d-\d\d", h) for h in headings[1:]]
    assert all(released), headings
    versions = [tuple(map(int, match.groups())) for match in released if match]
    assert versions == sorted(versions, reverse=True)
    for part in re.split(r"^## .*$", CHANGELOG, flags=re.M)[1:]:
        sections = re.findall(r"^### (.*)$", part, re.M)
        assert sections == [section for section in SECTIONS if section in sections]


def test_of_every_release_is_kept_what_it_leaves_on_disk() -> None:
    released = set(re.findall(r"^## \[(\d+\.\d+\.\d+)\]", CHANGELOG, re.M))
    kept = {folder.name for folder in KEPT.iterdir()}
    assert released <= kept
    assert sum(f.stat().st_size for f in KEPT.rglob("*") if f.is_file()) < 300_000 * len(kept)


def test_both_carry_the_licence() -> None:
    texts = {(project / "LICENSE").read_bytes() for project in PROJECTS.values()}
    assert len(texts) == 1
