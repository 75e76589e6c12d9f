"""Metrics of several workers as one exposition, each sample under the label of its worker."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["merged"]


def merged(texts: Mapping[str, bytes]) -> bytes:
    """`texts` are expositions in the Prometheus text format, by worker."""
    about: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, text in texts.items():
        family = ""
        for line in text.decode().splitlines():
            if line.startswith("# "):
                _, _, family, _ = line.split(" ", 3)
                known = about.setdefault(family, [])
                if line not in known:
                    known.append(line)
            elif line:
                samples.setdefault(family, []).append(_labelled(line, worker))
    lines = [line for family in about for line in (*about[family], *samples.get(family, ()))]
    return "".join(f"{line}\n" for line in lines).encode()


def _labelled(sample: str, worker: str) -> str:
    # A name ends where its labels or its value begin; only labels can hold either sign.
    name, brace, labels = sample.partition("{")
    if brace and " " not in name:
        return f'{name}{{worker="{worker}",{labels}'
    name, _, value = sample.partition(" ")
    return f'{name}{{worker="{worker}"}} {value}'
