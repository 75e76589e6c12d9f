"""What a Containerfile says, instruction by instruction, and what of a folder its build may see."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

__all__ = ["Instruction", "Stage", "context", "stages"]

_VARIABLE: Final = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass(frozen=True)
class Instruction:
    """`COPY --from=build /a /b` is ("COPY", {"from": "build"}, "/a /b")."""

    name: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """Of the form that is JSON, else as the shell splits it; of a health check its command."""
        text = self.text.removeprefix("CMD ")
        words: list[str] = json.loads(text) if text.startswith("[") else shlex.split(text)
        return words


@dataclass
class Stage:
    """From one FROM to the next."""

    image: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        """Those of this name."""
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> list[str]:
        """The words of the one that counts."""
        return self.all(name)[-1].words

    def environment(self, *, before: int | None = None) -> dict[str, str]:
        """What ENV sets, up to this instruction."""
        found: dict[str, str] = {}
        for each in self.instructions[:before]:
            for word in each.words if each.name == "ENV" else ():
                name, _, value = word.partition("=")
                found[name] = _expanded(value, found)
        return found

    def labels(self) -> dict[str, str]:
        """What LABEL says, with the defaults of ARG."""
        arguments = dict(w.partition("=")[::2] for each in self.all("ARG") for w in each.words)
        pairs = (word.partition("=") for each in self.all("LABEL") for word in each.words)
        return {name: _expanded(value, arguments) for name, _, value in pairs}


def stages(path: Path) -> list[Stage]:
    """In their order."""
    found: list[Stage] = []
    for line in _lines(path.read_text(encoding="utf-8")):
        name, _, rest = line.partition(" ")
        words, flags = rest.strip().split(" "), {}
        while words and words[0].startswith("--"):
            flag, _, value = words.pop(0).removeprefix("--").partition("=")
            flags[flag] = value
        if name == "FROM":
            found.append(Stage(words[0], words[2] if len(words) > 2 else ""))
        else:
            found[-1].instructions.append(Instruction(name, flags, " ".join(words)))
    return found


def _lines(text: str) -> Iterator[str]:
    kept = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    yield from re.sub(r"\s*\\\n\s*", " ", "\n".join(kept)).splitlines()


def _expanded(value: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda m: known.get(m[1] or m[2], ""), value)


def context(root: Path, ignore: Path) -> list[PurePosixPath]:
    """The files that a build in `root` is given, as .dockerignore has it: the last match counts."""
    rules = [
        (not line.startswith("!"), _pattern(line.removeprefix("!")), line.removeprefix("!"))
        for line in ignore.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    kept = [text for out, _, text in rules if not out]
    found: list[PurePosixPath] = []
    for folder, folders, names in os.walk(root):
        at = PurePosixPath(Path(folder).relative_to(root).as_posix())
        # Of a folder that is left out something may be let in again, further down.
        folders[:] = [
            each
            for each in folders
            if not _ignored(at / each, rules) or any(_leads(at / each, text) for text in kept)
        ]
        found += [at / name for name in names if not _ignored(at / name, rules)]
    return sorted(found)


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*)", text.strip("/"))
    kinds = {"**/": "(?:.*/)?", "*": "[^/]*"}
    # What is in a folder that matches matches, too.
    return re.compile("".join(kinds.get(p, re.escape(p)) for p in parts) + "(?:/.*)?$")


def _ignored(path: PurePosixPath, rules: list[tuple[bool, re.Pattern[str], str]]) -> bool:
    ignored = False
    for out, pattern, _ in rules:
        if pattern.match(path.as_posix()):
            ignored = out
    return ignored


def _leads(folder: PurePosixPath, text: str) -> bool:
    return f"{text.strip('/')}/".startswith(f"{folder.as_posix()}/")
