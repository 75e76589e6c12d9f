"""Golden values that tests of server and clients read: frames in both codecs, sizes of texts."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from typing import Any

from batonbox_server import wire
from batonbox_server.domain.keywords import word_of
from batonbox_server.domain.segments import segments
from batonbox_server.wire import Op

TIP = "0123456789abcdef"
ROW: dict[str, Any] = {
    "id": "sales.c1",
    "our": "+14165550100",
    "customer": "+14165550199",
    "status": "unassigned",
    "assignee": "",
    "own_tok": "7.89abcdef",
    "rev": 7,
    "att": "7.01234567",
    "in_seq": "7.01234567",
    "last_ms": 1_700_000_000_000,
    "waiting_since": 1_700_000_000_000,
    "last_assignee": "",
    "unanswered": 1,
    "preview": "hello",
    "n": 1,
    "snoozed_until": 0,
    "opted_out": 0,
}
META: dict[str, Any] = {
    "type": "received",
    "conv": "sales.c1",
    "actor": "",
    "cid": "",
    "unseen": False,
    "n": 1,
    "row": ROW,
}
MESSAGE: list[Any] = [1, 7, 1_700_000_000_000, "received", "", "", "", {"text": "h\u00e9llo"}]
FAILED: list[Any] = [
    2,
    8,
    1_700_000_001_000,
    "replied",
    "agent1",
    "c-2",
    "failed",
    {"text": "hi", "media": []},
    "no such number",
]

ROOM_ROW: dict[str, Any] = {
    "id": "~c1",
    "kind": "public",
    "name": "dispatch",
    "people": [],
    "archived": 0,
    "rev": 3,
    "n": 3,
    "posts": 1,
    "last_ms": 1_700_000_002_000,
    "last_by": "agent2",
    "preview": "hello",
}

FRAMES: dict[str, list[Any]] = {
    "hello": [Op.HELLO, "bb_token", "sdk/1"],
    "cmd": [Op.CMD, 1, "assign", {"cid": "c-1", "conv": "sales.c1"}],
    "sub_fresh": [Op.SUB, 2, [["sales", "list"]]],
    "sub_resume": [Op.SUB, 3, [["sales", "list", "e1", 7, TIP], ["support", "conv:support.c2"]]],
    "unsub": [Op.UNSUB, ["sales"]],
    "seen": [Op.SEEN, "sales", "sales.c1", "7.01234567"],
    "refresh": [Op.REFRESH, 4, "bb_token2"],
    "pong": [Op.PONG, [["sales", 7]]],
    "page": [Op.PAGE, 5, "sales", "open", None, 50],
    "history": [Op.HISTORY, 6, "sales.c1", 0, 50],
    "viewing": [Op.VIEWING, "sales.c1", True],
    "viewing_none": [Op.VIEWING, None],
    "check": [Op.CHECK, 7, "sales", [[7, TIP]]],
    "group_new": [Op.GROUP, 8, "answers", "c0ffee0123456789", 6000, False, [["sales"]]],
    "group": [
        Op.GROUP,
        9,
        "answers",
        "c0ffee0123456789",
        6000,
        True,
        [["sales", 3, 7, TIP, [[0, 2, 7], [63, 3, 5]], [0], [[63, 7]]]],
    ],
    "welcome": [
        Op.WELCOME,
        "n1-1",
        "agent1",
        25,
        {"commands_in_flight": 16},
        "0.1.0",
        0,
        1_700_000_000_000,
    ],
    "ok": [Op.OK, 1, {"conv": "sales.c1", "seq": 8, "tip": TIP, "own_tok": "8.89abcdef"}],
    "err": [Op.ERR, 1, 120, "conflict", "Somebody else owns it; see cur.assignee.", None, ROW],
    "snap": [
        Op.SNAP,
        "sales",
        "e1",
        7,
        TIP,
        {"unassigned": 1, "open": 1, "done": 0},
        {"seq": 7, "mv": 0, "blue": ["sales.c1"], "green": []},
        [ROW],
    ],
    "ev": [Op.EV, "sales", 7, META, {"text": "hello", "media": []}, TIP],
    "me": [Op.ME, "sales", {"seq": 7, "mv": 1, "blue": [], "green": []}],
    "badge": [Op.BADGE, "sales", 1, 0, 1, 7],
    "reset": [Op.RESET, "sales", "fork", ["c-1"]],
    "goaway": [Op.GOAWAY, 250, 10_000],
    "ping": [Op.PING],
    "auth": [Op.AUTH, 30],
    "unsubd": [Op.UNSUBD, "sales", 103],
    "status": [Op.STATUS, {"degraded": True}],
    "org": [
        Op.ORG,
        "state",
        {"user": {"id": "agent1"}, "inboxes": [{"id": "sales"}], "users": []},
    ],
    "notify": [Op.NOTIFY, "handed_to_you", "sales", "sales.c1", {"by": "agent2"}],
    "presence": [Op.PRESENCE, {"agent1": "online", "agent2": "away", "agent3": "offline"}],
    "typing": [Op.TYPING, "sales.c1", {"agent2": "typing", "agent3": "viewing"}],
    "conv": [Op.CONV, "sales", "sales.c1", 7, ROW, [MESSAGE, FAILED], 0],
    "sub_room": [Op.SUB, 8, [["~c1", "conv:~c1"]]],
    "seen_room": [Op.SEEN, "~c1", "~c1", "1"],
    "rooms": [Op.ROOMS, [[ROOM_ROW, 1, 0]]],
    "room": [Op.ROOM, "~c1", ROOM_ROW, 1, 1],
    "room_gone": [Op.ROOM, "~c1", None, 0, 0],
    "contacts": [Op.CONTACTS, {"+14165550199": {"id": "ct_1", "name": "Lee & Sons"}}],
    "contacts_all": [Op.CONTACTS, None],
}


def vectors() -> str:
    """The text of tests/vectors/frames.json."""
    entries = [
        {
            "name": name,
            "frame": [int(frame[0]), *frame[1:]],
            "msgpack_hex": wire.encode(frame, wire.MSGPACK_SUBPROTOCOL).hex(),
            "json": wire.encode(frame, wire.JSON_SUBPROTOCOL).decode(),
        }
        for name, frame in FRAMES.items()
    ]
    return json.dumps(entries, indent=1, ensure_ascii=True) + "\n"


# By what they take: 1 or 2 septets, 1 or 2 units of 16 bits.
_LETTERS = ("a", "\u00e9", "\n", "@", "\u20ac", "[", "~", "\u00e7", "\u044f", "\t", "\U0001f600")


def segment_vectors() -> str:
    """The text of tests/vectors/segments.json: texts around every edge, and mixtures."""
    drawn = random.Random(1)  # noqa: S311
    septets, units = (0, 1, 80, 81, 160, 161, 306, 307, 459, 460), (1, 35, 36, 66, 67, 70, 71, 135)
    texts = [letter * n for letter in ("a", "\u20ac") for n in septets]
    texts += [letter * n for letter in ("\u044f", "\U0001f600") for n in units]
    texts += ["a" * n + "\u20ac" + "a" * 152 for n in (151, 152, 153, 158, 159)]
    texts += ["\u044f" * n + "\U0001f600" + "\u044f" * 66 for n in (65, 66, 67, 68, 69)]
    for letters in (_LETTERS[:4], _LETTERS[:7], _LETTERS):
        texts += ["".join(drawn.choices(letters, k=drawn.randrange(330))) for _ in range(12)]
    entries = [{"text": text, **asdict(segments(text))} for text in dict.fromkeys(texts)]
    return json.dumps(entries, indent=1, ensure_ascii=True) + "\n"


def keyword_vectors() -> str:
    """The text of tests/vectors/keywords.json: what messages say about being written to."""
    words = "STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT START YES UNSTOP HELP INFO"
    texts = [*words.split(), *words.lower().split(), *words.title().split()]
    texts += [
        " stop\n",
        "\tYes ",
        "stop it",
        "STOP.",
        "opt out",
        "st op",
        "",
        "\u017ftop",
        "\u0441top",
    ]
    entries = [{"text": text, "word": str(word_of(text))} for text in texts]
    return json.dumps(entries, indent=1, ensure_ascii=True) + "\n"
