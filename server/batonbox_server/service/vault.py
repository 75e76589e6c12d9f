"""Secrets of carrier accounts: sealed under this server's key, or read from files at use."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from batonbox_server.carriers.port import SecretUnreadable
from batonbox_server.store.account_port import AccountRecord

__all__ = ["Vault", "key_from"]

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_FILE_MOST_BYTES: Final = 8192


def key_from(text: str) -> bytes:
    """The setting's key, b"" for none; raises ValueError."""
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("give 32 bytes as base64 (openssl rand -base64 32)") from error
    if key and len(key) != _KEY_BYTES:
        raise ValueError(f"give {_KEY_BYTES} bytes as base64, not {len(key)}")
    return key


class Vault:
    """AES-256-GCM, bound to the account's id; what is sealed names its key, never shows it.

    Without a `key` of the settings there is one in `key_file`, made when it is first needed: it is
    this server's alone (`lone`). Files with secrets are read in `folder` only, and none of the
    server's `own` secrets, which may lie there too: an admin of the organisation must not make the
    server send any other file of its machine somewhere.
    """

    def __init__(
        self, *, key: bytes, key_file: Path, folder: Path, own: frozenset[str] = frozenset()
    ) -> None:
        self._key_file = key_file
        self._folder = folder
        self._own = own
        self.lone = not key
        self._key = key or self._stored()

    @property
    def key_id(self) -> str:
        """Names the key; "" while there is none."""
        return hashlib.sha256(self._key).hexdigest()[:16] if self._key else ""

    def make_key(self) -> None:
        """Make the key's file unless there is a key; raises OSError, ValueError."""
        if self._key:
            return
        self._key_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            opened = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            self._key = self._stored()  # another process of this folder made it just now
            return
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(self._key_file.parent)
        except OSError:  # a full disk: no half of a key may stay in the way of the next try
            self._key_file.unlink(missing_ok=True)
            raise
        self._key = self._stored()

    def seal(self, account: str, secret: str) -> bytes:
        """Sealed for this account; there has to be a key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, secret.encode(), account.encode())

    def open(self, record: AccountRecord) -> str:
        """The account's secret, "" for none; raises SecretUnreadable."""
        if record.secret_file:
            return self.read(record.secret_file)
        if not record.sealed:
            return ""
        if not self._key:  # another process of this folder may have made it meanwhile
            self._key = self._found()
        if record.key != self.key_id:
            raise SecretUnreadable(_other_key(record, self.key_id))
        nonce, sealed = record.sealed[:_NONCE_BYTES], record.sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self._key).decrypt(nonce, sealed, record.id.encode()).decode()
        except InvalidTag:
            says = f"The secret of the carrier account {record.id!r} is damaged; give it again."
            raise SecretUnreadable(says) from None

    def read(self, file: str) -> str:
        """The secret in a file; raises SecretUnreadable."""
        path = Path(file)
        if not path.is_absolute() or "\0" in file:
            raise SecretUnreadable("secret_file: give an absolute path.")
        # In no folder below: there Kubernetes lays the pod's own token. Where a link leads may be.
        folder = self._folder.resolve()
        if path.parent.resolve() != folder or not path.resolve().is_relative_to(folder):
            says = f"secret_file: give a file in {self._folder} (BATONBOX_SECRETS_DIR)."
            raise SecretUnreadable(says)
        try:
            with path.open("rb") as opened:
                raw = opened.read(_FILE_MOST_BYTES + 1)
        except OSError as error:
            raise SecretUnreadable(f"{file} cannot be read ({error.strerror}).") from error
        found = raw.decode(errors="replace").strip()
        if not found or len(raw) > _FILE_MOST_BYTES:
            raise SecretUnreadable(f"{file} is empty, or too long for a secret.")
        if found in self._own:
            raise SecretUnreadable(f"{file} has a secret of the server's own settings.")
        return found

    def _found(self) -> bytes:
        try:
            return self._stored()
        except ValueError as error:
            raise SecretUnreadable(f"{error}.") from error

    def _stored(self) -> bytes:
        try:
            key = key_from(self._key_file.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            return b""
        except (OSError, ValueError) as error:
            raise ValueError(f"{self._key_file}: {error}") from error
        if not key:
            raise ValueError(f"{self._key_file}: it is empty; restore or delete it")
        return key


def _sync_folder(folder: Path) -> None:
    """What is sealed is durable, so the key's name has to be."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _other_key(record: AccountRecord, ours: str) -> str:
    here = f"has the key {ours}" if ours else "has no key"
    return (
        f"The secret of the carrier account {record.id!r} is sealed under the key {record.key}, "
        f"and this server {here}. Set BATONBOX_SECRETS_KEY as where it was set, or give the "
        "account's secret again."
    )
