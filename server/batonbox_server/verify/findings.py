"""What is wrong, in words: where, what is, what should be, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

__all__ = ["REMEDIES", "Finding", "Report", "text_of"]

_MOST: Final = 1000
_RESTORE: Final = (
    "Keep a copy of the data, restore the newest backup that verifies, and report this finding."
)
_TOUCH: Final = (
    "Write an internal note in the conversation: that puts its row into its lists anew; then verify"
    " again. Report it if it stays."
)
_BADGE: Final = (
    "Assign and return the conversation: that sets its attention anew; then verify again. Report"
    " it if it stays."
)
_REPORT: Final = "Nobody sees a wrong number or text by it yet; report it with this output."
_RUN: Final = (
    "Restart a server of this organisation, which does again what was left undone; then verify."
)
_ARCHIVE: Final = (
    "Put the archive back that these messages are in, or restore it from a backup; the engine has"
    " no other copy."
)

# Every kind of finding, and what to do about it.
REMEDIES: Final[dict[str, str]] = {
    "log_gap": _RESTORE,
    "log_chain": _RESTORE,
    "log_tip": _RESTORE,
    "log_end": _RESTORE,
    "log_frame": _RESTORE,
    "log_edge": _RESTORE,
    "row_unreadable": _RESTORE,
    "row_missing": _RESTORE,
    "row_differs": _RESTORE,
    "row_numbers": _RESTORE,
    "index_missing": _TOUCH,
    "index_score": _TOUCH,
    "index_stray": _TOUCH,
    "badge_blue": _BADGE,
    "badge_green": _BADGE,
    "seen_mark": _REPORT,
    "pair_wrong": _RESTORE,
    "thread_length": _RESTORE,
    "thread_numbers": _RESTORE,
    "outbox_missing": "It will never be sent: its owner has to write it anew. Report it.",
    "outbox_stray": _REPORT,
    "lifetime": _REPORT,
    "orphan": _REPORT,
    "number_route": _RUN,
    "member_standing": _RUN,
    "hook_place": (
        "Switch the webhook off and on: it begins at the present end. Look at its deliveries for"
        " what it was not told."
    ),
    "room_posts": _RESTORE,
    "room_mark": "Its owner opens the room once, which sets the mark anew.",
    "room_index": _RUN,
    "away_count": _REPORT,
    "archive_row": _ARCHIVE,
    "archive_lines": _ARCHIVE,
    "archive_file": _ARCHIVE,
    "token_index": "Make the token anew, and delete the old one.",
    "contact_index": "Save the contact again; then verify.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be; `name` is a key of `REMEDIES`."""

    name: str
    where: str
    what: str
    should: str

    @property
    def remedy(self) -> str:
        """What to do."""
        return REMEDIES[self.name]

    def told(self) -> dict[str, str]:
        """For programs."""
        return {**asdict(self), "do": self.remedy}


@dataclass(slots=True)
class Report:
    """What was looked at, how often what was found, and the first findings, each once.

    `skipped` says in words what could not be judged, and why.
    """

    checked: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    findings: dict[Finding, None] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.found

    def add(self, findings: Iterable[Finding]) -> None:
        """Each counts once."""
        for finding in findings:
            if finding in self.findings:
                continue
            self.found[finding.name] += 1
            if len(self.findings) < _MOST:
                self.findings[finding] = None

    def told(self) -> dict[str, Any]:
        """For programs: `ok`, `checked`, `found` by name, `findings` (the first thousand)."""
        return {
            "ok": self.is_clean,
            "checked": dict(self.checked),
            "found": dict(self.found),
            "findings": [finding.told() for finding in self.findings],
            "skipped": self.skipped,
        }


def text_of(told: dict[str, Any]) -> str:
    """A report as `Report.told` tells it, for people."""
    checked = ", ".join(f"{n} {name}" for name, n in told["checked"].items())
    lines = [f"looked at {checked or 'nothing'}"]
    lines += [f"not judged: {why}" for why in told["skipped"]]
    for each in told["findings"]:
        lines += [
            "",
            f"{each['name']} in {each['where']}",
            f"  is:     {each['what']}",
            f"  should: {each['should']}",
            f"  do:     {each['do']}",
        ]
    total = sum(told["found"].values())
    more = total - len(told["findings"])
    lines += ["", *([f"{more} more are not listed"] if more else [])]
    lines.append("everything is as it should be" if told["ok"] else f"{total} findings")
    return "\n".join(lines)
