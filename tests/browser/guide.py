"""A guide: its controls are looked for where it speaks of them, and its pictures are taken."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Locator, Page, TimeoutError, expect  # noqa: A004

from batonbox_server.gen import ROOT

__all__ = ["IMAGES", "LARGEST_BYTES", "Guide"]

IMAGES: Final = ROOT / "docs/images"
LARGEST_BYTES: Final = 150_000
_WRITE: Final = os.environ.get("DOCS_IMAGES") == "write"
_COLOURS: Final = 128
_ROLES: Final = (
    "button", "link", "menuitem", "textbox", "combobox", "option", "radio", "checkbox", "heading",
    "switch", "searchbox",
)  # fmt: skip


class Guide:
    """docs/NAME.md: what stands there in bold is a control."""

    def __init__(self, name: str) -> None:
        self._name = name
        text = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
        parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
        self._named = {
            title: set(re.findall(r"\*\*(.+?)\*\*", body))
            for title, body in zip(parts[1::2], parts[2::2], strict=True)
        }
        self.pictures = set(re.findall(r"\(images/([\w-]+)\.png\)", text))
        self._seen: dict[str, set[str]] = {title: set() for title in self._named}
        self._taken: set[str] = set()
        self._at = ""

    def turn_to(self, title: str) -> None:
        """The section that is played now."""
        assert title in self._named, f"docs/{self._name}.md has no section {title!r}"
        self._at = title

    async def sees(self, within: Page | Locator, *names: str) -> None:
        """These controls are there, and this section of the guide names them."""
        for name in names:
            assert name in self._named[self._at], f"{self._at!r} says nothing of {name!r}"
            # Shortcuts and counts follow a name; "Set as away…" is a part of a person's button.
            word = re.compile(rf"(^|\s){re.escape(name)}(\W|\s|$)")
            found = within.get_by_role("button", name=word)
            for role in _ROLES[1:]:
                found = found.or_(within.get_by_role(role, name=word))
            try:
                await expect(found.first).to_be_visible()
            except (AssertionError, TimeoutError) as error:
                raise AssertionError(f"{self._at!r} names {name!r}, which is not there") from error
            self._seen[self._at].add(name)

    async def shows(self, of: Page | Locator, picture: str) -> None:
        """The guide has this picture here; it is taken again when that was asked for."""
        assert picture in self.pictures, f"docs/{self._name}.md does not show {picture}.png"
        self._taken.add(picture)
        path = IMAGES / f"{picture}.png"
        if _WRITE:
            _keep(await of.screenshot(animations="disabled", caret="hide"), path)
        assert path.is_file(), f"no {path.name}: make docs-images"
        assert path.stat().st_size < LARGEST_BYTES, f"{path.name} is too large"

    def is_complete(self) -> None:
        """Everything that it names was seen, everything it shows was taken."""
        unseen = {t: self._named[t] - seen for t, seen in self._seen.items()}
        assert not any(unseen.values()), {t: names for t, names in unseen.items() if names}
        assert self._taken == self.pictures


def _keep(png: bytes, path: Path) -> None:
    """With a palette, which is plenty for a page."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    path.parent.mkdir(exist_ok=True)
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
