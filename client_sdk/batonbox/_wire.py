# Generated from batonbox_server/wire.py and errors.py by `make gen`; edits are lost.
"""Wire v1: frames, commands, close codes and the two codecs, in one self-contained file.

One websocket message carries 1..n frames `[op, ...]`: MessagePack values one after the other, or
JSON values separated by newlines.  Unknown trailing elements of a frame are ignored, unknown fields
of a command's arguments are refused.  `docs/protocol.md` and the SDK's `_wire.py` are generated
from here by `make gen`; nothing in this file may import the rest of the server.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import islice
from typing import Annotated, Any, Final

import msgpack  # type: ignore[import-untyped]
import msgspec
from msgspec import Meta, Struct

VERSION: Final = 1
MSGPACK_SUBPROTOCOL: Final = "batonbox.v1.msgpack"
JSON_SUBPROTOCOL: Final = "batonbox.v1.json"
SUBPROTOCOLS: Final = (MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL)

Frame = list[Any]


class Op(IntEnum):
    """Operation numbers; below 16 the client speaks, from 16 the server."""

    HELLO = 0
    CMD = 1
    SUB = 2
    UNSUB = 3
    SEEN = 4
    REFRESH = 5
    PONG = 6
    PAGE = 7
    HISTORY = 8
    CHECK = 9
    VIEWING = 10
    GROUP = 11
    WELCOME = 16
    OK = 17
    ERR = 18
    SNAP = 19
    EV = 20
    ME = 21
    BADGE = 22
    RESET = 23
    GOAWAY = 24
    PING = 25
    AUTH = 26
    UNSUBD = 27
    STATUS = 28
    ORG = 29
    PRESENCE = 30
    TYPING = 31
    NOTIFY = 32
    CONV = 33
    ROOM = 34
    ROOMS = 35
    CONTACTS = 36


class Close(IntEnum):
    """Websocket close codes; the range alone tells a client what to do next."""

    DRAIN = 4000
    SLOW = 4002
    NO_PONG = 4003
    RATE = 4004
    EXPIRED = 4100
    REVOKED = 4101
    ROLES_CHANGED = 4102
    BAD_FRAME = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    REPLACED = 4405
    VERSION = 4406
    NO_HELLO = 4408
    TOO_BIG = 4413
    TOO_MANY = 4429


CLOSE_RANGES: Final = (
    (4000, 4099, "reconnect and resume"),
    (4100, 4199, "fetch a new token first, then reconnect"),
    (4400, 4499, "stop; a person has to act"),
)

Id = Annotated[str, Meta(min_length=1, max_length=160)]
Cid = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[\x21-\x7e]+$")]
RequestId = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Seq = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Count = Annotated[int, Meta(ge=1, le=200)]


class Hello(Struct, array_like=True, frozen=True):
    """First frame: the token, unless the upgrade request carried it; `sdk` names the client."""

    tok: str = ""
    sdk: str = ""


class Cmd(Struct, array_like=True, frozen=True):
    """Run the command `name`; answered by OK or ERR with the same id."""

    id: RequestId
    name: str
    args: dict[str, Any] = {}


class SubItem(Struct, array_like=True, frozen=True):
    """An inbox or a room, a level (`badge`, `list` or `conv:<id>`); to resume, the last position.

    A room is its own only conversation: `conv:<room>`. Rooms have no level `badge`: ROOM frames
    come unasked.
    """

    inbox: Id
    level: str
    epoch: str | None = None
    seq: Seq | None = None
    tip: str | None = None


class Sub(Struct, array_like=True, frozen=True):
    """Subscribe to inboxes: each is resumed (its missed EVs follow) or answered with a SNAP."""

    id: RequestId
    subs: Annotated[list[SubItem], Meta(min_length=1, max_length=256)]


class Unsub(Struct, array_like=True, frozen=True):
    """Drop subscriptions back to level `badge`."""

    inboxes: list[Id]


class Seen(Struct, array_like=True, frozen=True):
    """I have seen this conversation as of attention mark `att`; never resent, not answered.

    Of a room: `inbox` and `conv` are its id, `att` is its row's `posts` in decimal digits.
    """

    inbox: Id
    conv: Id
    att: str


class Refresh(Struct, array_like=True, frozen=True):
    """Replace the connection's token in place before it expires."""

    id: RequestId
    tok: str


class Pong(Struct, array_like=True, frozen=True):
    """Answer to PING with the position applied per inbox."""

    positions: list[tuple[str, Seq]] = []


class Page(Struct, array_like=True, frozen=True):
    """Rows of a view after a cursor; OK carries `{rows, next, seq, tip}`."""

    id: RequestId
    inbox: Id
    view: str
    after: str | None = None
    n: Count = 50


class History(Struct, array_like=True, frozen=True):
    """Messages below number `before` (0: newest); OK carries `{row, messages, next, seq}`."""

    id: RequestId
    conv: Id
    before: Seq = 0
    n: Count = 50


class Check(Struct, array_like=True, frozen=True):
    """Are my acknowledged writes still there? OK carries `{missing: [[seq, tip], ...]}`."""

    id: RequestId
    inbox: Id
    positions: Annotated[list[tuple[Seq, str]], Meta(max_length=256)]


class Viewing(Struct, array_like=True, frozen=True):
    """I look at this conversation (null: at none) and may be typing; never resent, not answered.

    Say it again every 10 s while it is so, at once when it changes: it is forgotten after 25 s,
    typing after 6 s.
    """

    conv: Id | None
    typing: bool = False


PARTITIONS: Final = 64

Name = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Partition = Annotated[int, Meta(ge=0, le=PARTITIONS - 1)]


class Share(Struct, array_like=True, frozen=True):
    """What a copy says of its share of an inbox; all but `inbox` is left out at first.

    `gen`: the newest generation it was told; `at`, `tip`: up to where it has read the log; `holds`:
    [partition, the generation it was given in, everything up to this seq is handled]; `gives`:
    those of them that it gives back, with nothing under way; `done`: [partition, seq] of events
    further on that are handled, while one before them still is under way.
    """

    inbox: Id
    gen: Seq = 0
    at: Seq = 0
    tip: Annotated[str, Meta(max_length=40)] = ""
    holds: Annotated[list[tuple[Partition, Seq, Seq]], Meta(max_length=PARTITIONS)] = []
    gives: Annotated[list[Partition], Meta(max_length=PARTITIONS)] = []
    done: Annotated[list[tuple[Partition, Seq]], Meta(max_length=256)] = []


class Group(Struct, array_like=True, frozen=True):
    """`copy` of the bot group `name` lives for `lease_ms` more, or leaves; and what it has handled.

    OK carries `{shares: [[inbox, error, share]...]}`, see "Bot groups".
    """

    id: RequestId
    name: Name
    copy: Name
    lease_ms: Annotated[int, Meta(ge=1000, le=60_000)]
    leave: bool
    shares: Annotated[list[Share], Meta(min_length=1, max_length=64)]


CLIENT_FRAMES: Final[dict[int, type[Struct]]] = {
    Op.HELLO: Hello,
    Op.CMD: Cmd,
    Op.SUB: Sub,
    Op.UNSUB: Unsub,
    Op.SEEN: Seen,
    Op.REFRESH: Refresh,
    Op.PONG: Pong,
    Op.PAGE: Page,
    Op.HISTORY: History,
    Op.CHECK: Check,
    Op.VIEWING: Viewing,
    Op.GROUP: Group,
}

# name -> (fields in order, what it says); `?` marks fields that may be absent or null.
SERVER_FRAMES: Final[dict[int, tuple[str, str]]] = {
    Op.WELCOME: (
        "conn user ping_s limits build exp now_ms",
        "signed in; `exp` is the token's end in ms (0: none)",
    ),
    Op.OK: ("id result", "the request took effect; `result` is a map"),
    Op.ERR: ("id code slug msg retry_ms? cur?", "refused; `cur` is the conversation's row"),
    Op.SNAP: (
        "inbox epoch seq tip counts me rows next?",
        "state at `seq`: counts {unassigned, open, done}, my marks, newest open rows",
    ),
    Op.EV: ("inbox seq meta body tip", "one event of the inbox's log"),
    Op.ME: (
        "inbox marks",
        "my marks as of `seq`, absolute: {seq, mv, green: [conv], blue: [conv] or seen: [conv]}",
    ),
    Op.BADGE: ("inbox blue green unassigned seq", "absolute totals for me"),
    Op.RESET: (
        "inbox reason lost",
        "discard every row of the inbox (fork, epoch, trimmed, perm); SNAP follows unless perm",
    ),
    Op.GOAWAY: ("after_ms deadline_ms", "open a new connection after `after_ms`, then close this"),
    Op.PING: ("", "answer with PONG"),
    Op.AUTH: ("deadline_s", "the token expires; REFRESH before the deadline"),
    Op.UNSUBD: ("inbox code", "the subscription ended, with an error number"),
    Op.STATUS: ("status", "{degraded: bool}: the engine is unreachable, or back"),
    Op.ORG: (
        "kind data",
        "kind `state` {user, inboxes, users}; then `inbox`, `inbox_gone`, `user`, `user_gone`",
    ),
    Op.PRESENCE: (
        "states",
        "{user: online | away | offline}, of who changed; the first one of all not offline",
    ),
    Op.TYPING: (
        "conv who",
        "{user: viewing | typing}, absolute: who else looks at the conversation I look at",
    ),
    Op.NOTIFY: (
        "kind inbox conv data",
        (
            "for me alone: `handed_to_you`, `taken_from_you`, `woken`, `mention`, `direct` (a post"
            " in a direct room), `added` (to a channel); data {by, ...}"
        ),
    ),
    Op.CONV: ("inbox conv seq row messages next?", "opening of a level `conv:<id>` subscription"),
    Op.ROOM: (
        "room state unread mentions",
        (
            "one of my rooms moved, absolute: its row, how many posts and mentions I have not seen;"
            " state null: it is none of mine any more"
        ),
    ),
    Op.ROOMS: ("rooms", "all my rooms, absolute: [[row, unread, mentions], ...]; once, unasked"),
    Op.CONTACTS: (
        "names",
        "{number: {id, name} or null}: whose numbers these are now; null: forget all, ask again",
    ),
}

LEVELS: Final = ("badge", "list", "conv")
VIEWS: Final = ("unassigned", "mine", "others", "open", "done", "all", "walk")

Phone = Annotated[str, Meta(min_length=3, max_length=32)]
MediaId = Annotated[str, Meta(min_length=1, max_length=80)]


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments every command takes: its id, and how durable its success must be."""

    cid: Cid
    dur: str | None = None


class Assign(Command, frozen=True, kw_only=True):
    """Assign to Me; `to` somebody else hands an unassigned conversation to a colleague."""

    conv: Id
    to: str | None = None


class Transfer(Command, frozen=True, kw_only=True):
    """Hand over to `to`; an admin's transfer of somebody else's needs the present own_tok."""

    conv: Id
    to: Id
    own_tok: str | None = None
    note: str | None = None


class Return(Command, frozen=True, kw_only=True):
    """Return to Inbox."""

    conv: Id
    own_tok: str | None = None


class Done(Command, frozen=True, kw_only=True):
    """Mark as Done; `seen` is the row's in_seq as the actor knows it."""

    conv: Id
    own_tok: str | None = None
    seen: str | None = None


class Undo(Command, frozen=True, kw_only=True):
    """Take back my own last ownership change, within ten seconds."""

    conv: Id
    own_tok: str | None = None


class Reply(Command, frozen=True, kw_only=True):
    """Send text to the customer; `seen` is the row's att as the actor knows it.

    `media` are ids of files that the caller uploaded.
    """

    conv: Id
    text: str
    own_tok: str | None = None
    media: Annotated[list[MediaId], Meta(max_length=10)] = []
    seen: str | None = None


class Note(Command, frozen=True, kw_only=True):
    """Internal note, never sent to the customer."""

    conv: Id
    text: str
    mentions: Annotated[list[Id], Meta(max_length=50)] = []


class Compose(Command, frozen=True, kw_only=True):
    """New outbound conversation: claim and send in one step."""

    inbox: Id
    to: Phone
    text: str
    from_: Phone | None = msgspec.field(default=None, name="from")
    media: Annotated[list[MediaId], Meta(max_length=10)] = []


class Retry(Command, frozen=True, kw_only=True):
    """Send the failed message `n` again."""

    conv: Id
    n: Seq


class Unread(Command, frozen=True, kw_only=True):
    """Mark unread for me."""

    conv: Id


class Snooze(Command, frozen=True, kw_only=True):
    """Put my conversation aside until `until_ms` (epoch ms); a customer's message wakes it."""

    conv: Id
    until_ms: Seq
    own_tok: str | None = None


class Wake(Command, frozen=True, kw_only=True):
    """End the snooze of my conversation now."""

    conv: Id
    own_tok: str | None = None


class OpenDm(Command, frozen=True, kw_only=True):
    """The direct room with a colleague (or with myself); made when there is none."""

    user: Id


class Create(Command, frozen=True, kw_only=True):
    """A new channel; I and `members` are in it."""

    name: str
    private: bool = False
    members: Annotated[list[Id], Meta(max_length=200)] = []


class Join(Command, frozen=True, kw_only=True):
    """Join a public channel; an admin also a private one."""

    conv: Id


class Leave(Command, frozen=True, kw_only=True):
    """Leave a channel."""

    conv: Id


class Invite(Command, frozen=True, kw_only=True):
    """Put somebody into a channel."""

    conv: Id
    user: Id


class Remove(Command, frozen=True, kw_only=True):
    """Take somebody out of a channel."""

    conv: Id
    user: Id


class Rename(Command, frozen=True, kw_only=True):
    """Give a channel another name."""

    conv: Id
    name: str


class Archive(Command, frozen=True, kw_only=True):
    """Close a channel to new posts, or (`on` false) open it again; it can be read all the same."""

    conv: Id
    on: bool = True


class Post(Command, frozen=True, kw_only=True):
    """Write in a room; `media` are ids of files that the caller uploaded."""

    conv: Id
    text: str
    mentions: Annotated[list[Id], Meta(max_length=50)] = []
    media: Annotated[list[MediaId], Meta(max_length=10)] = []


class Edit(Command, frozen=True, kw_only=True):
    """Change the text of my post `n`; admins can read what stood there."""

    conv: Id
    n: Seq
    text: str
    mentions: Annotated[list[Id], Meta(max_length=50)] = []


class Delete(Command, frozen=True, kw_only=True):
    """Delete my post `n` (an admin: anybody's in a channel); a mark stays where it was."""

    conv: Id
    n: Seq


class SetAway(Command, frozen=True, kw_only=True):
    """Say that I am away, or back.

    `release`: while I am away, a customer's next message takes its conversation back to the inbox.
    """

    away: bool
    release: bool = True


COMMANDS: Final[dict[str, type[Command]]] = {
    "assign": Assign,
    "transfer": Transfer,
    "return": Return,
    "done": Done,
    "undo": Undo,
    "reply": Reply,
    "note": Note,
    "compose": Compose,
    "retry": Retry,
    "unread": Unread,
    "snooze": Snooze,
    "wake": Wake,
    "set_away": SetAway,
    "open_dm": OpenDm,
    "create": Create,
    "join": Join,
    "leave": Leave,
    "invite": Invite,
    "remove": Remove,
    "rename": Rename,
    "archive": Archive,
    "post": Post,
    "edit": Edit,
    "delete": Delete,
}

# Commands of rooms: direct messages and channels. `unread` is theirs too, with a room as `conv`.
ROOM_COMMANDS: Final = frozenset(
    {
        "open_dm",
        "create",
        "join",
        "leave",
        "invite",
        "remove",
        "rename",
        "archive",
        "post",
        "edit",
        "delete",
    }
)

# A websocket command without its ownership token is refused; HTTP may leave it out.
FENCED: Final = frozenset({"transfer", "return", "done", "undo", "reply", "snooze", "wake"})

# `reason`, why it failed, is there for failed messages only.
MESSAGE_FIELDS: Final = ("n", "seq", "at_ms", "kind", "actor", "cid", "state", "body", "reason")


_packer: Final = msgspec.msgpack.Encoder()


class WireError(Exception):
    """Bytes that are not frames of this protocol; the connection closes with 4400."""


def decode(
    data: bytes | str, subprotocol: str, *, items_max: int = 0, frames_max: int = 0
) -> list[Frame]:
    """Split one websocket message into its frames; raises WireError.

    `items_max` bounds each array and map of MessagePack, `frames_max` the frames, 0: by the size of
    the message.
    """
    try:
        if subprotocol == JSON_SUBPROTOCOL:
            frames: list[Any] = _from_json(data, frames_max or len(data))
        else:
            frames = _from_msgpack(data, items_max, frames_max or len(data))
    except WireError:
        raise
    except Exception as error:
        raise WireError(f"not decodable: {type(error).__name__}") from error
    if not frames:
        raise WireError("an empty message")
    for frame in frames:
        if not isinstance(frame, list) or not frame or type(frame[0]) is not int:
            raise WireError("a frame is an array that starts with its operation number")
    return frames


def encode(frame: Frame | tuple[Any, ...], subprotocol: str) -> bytes:
    """One frame as bytes; frames of one message are joined by `join`."""
    if subprotocol == JSON_SUBPROTOCOL:
        return msgspec.json.encode(frame)
    return _packer.encode(frame)


def join(frames: list[bytes], subprotocol: str) -> bytes:
    """Encoded frames as one message."""
    return (b"\n" if subprotocol == JSON_SUBPROTOCOL else b"").join(frames)


def transcode(frame: bytes) -> bytes:
    """A MessagePack frame as JSON, once per event and not once per client."""
    return msgspec.json.encode(msgpack.unpackb(frame, raw=False))


def _from_msgpack(data: bytes | str, items_max: int, frames_max: int) -> list[Frame]:
    if isinstance(data, str):
        raise WireError("text message on the MessagePack subprotocol")
    # Room is made for as many items as a header says, before one of them is there; headers nest.
    most = items_max or len(data) or 1
    unpacker = msgpack.Unpacker(
        raw=False,
        strict_map_key=True,
        max_buffer_size=len(data) or 1,
        max_array_len=most,
        max_map_len=most,
    )
    unpacker.feed(data)
    frames = list(islice(unpacker, frames_max))
    if unpacker.tell() != len(data):
        if len(frames) == frames_max:
            raise WireError(f"more than {frames_max} frames in one message")
        raise WireError("a truncated frame")
    return frames


def _from_json(data: bytes | str, frames_max: int) -> list[Frame]:
    split = data.splitlines() if isinstance(data, bytes) else data.split("\n")
    lines = [line for line in split if line.strip()]
    if len(lines) > frames_max:
        raise WireError(f"more than {frames_max} frames in one message")
    # Stricter than Python's own: no NaN, and no half of a surrogate pair, which nobody can encode.
    return [msgspec.json.decode(line) for line in lines]


# number -> (slug, whether a retry can help, remedy)
ERRORS: Final[dict[int, tuple[str, bool, str]]] = {
    100: ("internal", True, "Retry; if it persists, look at the server's log."),
    101: ("unauthorized", False, "Send a valid token."),
    103: ("forbidden", False, "Ask an admin for access."),
    104: ("unknown_op", False, "Use an operation of docs/protocol.md."),
    107: ("bad_request", False, "Correct the request and send it again."),
    109: ("token_expired", False, "Fetch a new token and send it."),
    111: ("rate_limited", True, "Wait retry_ms, then send it again."),
    112: ("unrecoverable_position", False, "Subscribe again without a position."),
    120: ("conflict", False, "Somebody else owns it; see cur.assignee."),
    121: ("not_owner", False, "Assign the conversation to yourself first."),
    122: ("stale_token", False, "Read the current row (cur) and decide again."),
    123: ("not_found", False, "Check the id."),
    124: ("new_activity", False, "Read the newer message first, then send done again."),
    125: ("recipient_opted_out", False, "The customer has to text START first."),
    126: ("target_not_member", False, "Choose a member of the inbox, or add them first."),
    127: ("number_not_routed", False, "Ask an admin to route a number to this inbox."),
    128: ("idempotency_mismatch", False, "Use a fresh command id for another command."),
    129: ("not_undoable", False, "Too late, or changed since; act on the current row."),
    132: ("media_refused", False, "Send a file of another kind, or a smaller one."),
    130: ("unavailable", True, "The engine is unreachable; retry with the same id."),
    131: ("durability_timeout", True, "Applied, not confirmed; retry with the same id."),
}
