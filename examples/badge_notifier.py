"""Shows a notification on the desktop when there is more to do than before.

    BATONBOX_TOKEN=... python badge_notifier.py

By notify-send (Linux) or osascript (macOS) where there is one, else as a line on the terminal.
"""

import shutil
import subprocess
import sys

from batonbox import Badge, BatonboxError, sync

SCRIPT = """
on run argv
    display notification (item 2 of argv) with title (item 1 of argv)
end run
"""


def main() -> None:
    with sync.Client() as client:
        names = {inbox.id: inbox.name for inbox in client.inboxes()}
        known: dict[str, Badge] = {}
        for badge in client.badges():
            before = known.get(badge.inbox, Badge(badge.inbox, blue=0, green=0, unassigned=0))
            # Blue: nobody has them, and I have not looked. Green: mine, with something new.
            if badge.blue > before.blue or badge.green > before.green:
                name = names.get(badge.inbox, badge.inbox)
                notify(name, f"{badge.blue} new in the inbox, {badge.green} of yours")
            known[badge.inbox] = badge


def notify(title: str, text: str) -> None:
    if shutil.which("notify-send"):
        command = ["notify-send", "--app-name=batonbox", title, text]
    elif shutil.which("osascript"):
        command = ["osascript", "-e", SCRIPT, title, text]
    else:
        print(f"{title}: {text}", flush=True)
        return
    try:
        subprocess.run(command, check=True, timeout=10, capture_output=True)
    except (OSError, subprocess.SubprocessError):  # no desktop to show it on
        print(f"{title}: {text}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except BatonboxError as error:
        sys.exit(str(error))
