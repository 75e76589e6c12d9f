"""What a fresh connection gets unasked, encoded once for all who get the same."""

from __future__ import annotations

from typing import Any, Final

from batonbox_server import wire
from batonbox_server.session.ports import Directory
from batonbox_server.wire import Op

__all__ = ["Greetings"]

_KEPT_BYTES: Final = 16 << 20
Pieces = tuple[bytes, ...]


class Greetings:
    """ORG `state` and PRESENCE as bytes, per subprotocol.

    The list of everybody is encoded once; each user's own part is kept until `forget`, so that a
    storm of returning clients costs no encoding of the organisation.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._everybody: dict[str, bytes] = {}
        self._own: dict[tuple[str, bool, str], bytes] = {}
        self._own_bytes = 0
        self._shown: dict[str, Pieces] = {}

    def forget(self) -> None:
        """The directory says something else now."""
        self._everybody.clear()
        self._forget_own()

    def moved(self) -> None:
        """Somebody's presence is shown anew."""
        self._shown.clear()

    def state(self, user: str, *, sees: bool, subprotocol: str) -> Pieces:
        """ORG `state` of a user; who may not read hears of no inbox."""
        key = (user, sees, subprotocol)
        own = self._own.get(key)
        if own is None:
            own = self._encode_own(user, sees=sees, subprotocol=subprotocol)
            if self._own_bytes + len(own) > _KEPT_BYTES:
                self._forget_own()
            self._own[key] = own
            self._own_bytes += len(own)
        everybody = self._everybody.get(subprotocol)
        if everybody is None:
            listed: Any = self._directory.everybody()
            everybody = self._everybody[subprotocol] = wire.encode(listed, subprotocol)
        end = b"}]" if subprotocol == wire.JSON_SUBPROTOCOL else b""
        return own, everybody, end

    def presence(self, shown: dict[str, str], *, subprotocol: str) -> Pieces:
        """PRESENCE of all who are `shown`, kept until `moved`."""
        if subprotocol not in self._shown:
            self._shown[subprotocol] = (wire.encode([Op.PRESENCE, shown], subprotocol),)
        return self._shown[subprotocol]

    def _forget_own(self) -> None:
        self._own.clear()
        self._own_bytes = 0

    def _encode_own(self, user: str, *, sees: bool, subprotocol: str) -> bytes:
        state = self._directory.state_for(user)
        if not sees:
            state = {**state, "inboxes": []}
        frame = wire.encode([Op.ORG, "state", {**state, "users": []}], subprotocol)
        # `users` is the last of the last: its empty list is cut off, and everybody put there.
        nothing = b"[]}]" if subprotocol == wire.JSON_SUBPROTOCOL else b"\x90"
        return frame.removesuffix(nothing)
