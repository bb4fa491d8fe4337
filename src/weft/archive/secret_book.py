"""Redaction that can be taken back: what was masked is kept, encrypted, for whoever has the key.

In a conversation a token such as ``[EMAIL:abcdefghijklmnopqrst]`` stands for what was masked. What it was
lies in ``logs/.weft/secrets``, a sealed file for each conversation, every text in it encrypted by itself
(AES-256-GCM) and bound to its token and its conversation. The key comes with every opening and is never
written; from a key that is lost follows nothing but that what was masked stays masked.

A token is made of the key, the text and the conversation, so the same conversation is redacted to the same
bytes every time, and nobody without the key can tell whether two conversations speak of the same thing. With
`stable` it is made of the key and the text alone: the same text has the same token everywhere, which allows
joins, and tells that two conversations have something in common.

Secrets are on the disk before the conversation that needs them, and gone before it is; a journal names those
that are being written, so that a kill leaves none behind for a conversation that never came.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from weft.archive.errors import DamagedFileError, WrongKeyError, from_os_error
from weft.archive.file_system import FileSystem, iter_files, write_durably
from weft.archive.json_text import BadJsonError, digest, seal, unseal
from weft.archive.place import INNER, Day, Kind
from weft.errors import ConfigError

FOLDER = "secrets"
KEY_FILE = "key.json"
JOURNAL = "secrets-journal.json"
MIN_KEY_CHARS = 32
TOKEN = re.compile(r"\[[^\[\]\n]{1,80}:[a-p]{20}\]")
"""What stands in a text for something that can be revealed."""
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """Whose secrets: a conversation, or a run that belongs to none."""

    organization: str
    """Its name on disk."""
    kind: Kind
    id: str

    @property
    def file(self) -> str:
        """Where they lie, below the folder of secrets."""
        name = digest(f"{self.kind}\0{self.organization}\0{self.id}".encode("utf-8", "surrogatepass"))
        return f"{name[:2]}/{name[:40]}.json"


class _KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """What proves a key, and does not help to find it."""

    format: int = 1
    salt: str
    check: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets of one owner: nonce and ciphertext of each, by its token."""

    format: int = 1
    organization: str
    kind: Kind
    id: str
    secrets: dict[str, str]

    @property
    def owner(self) -> Owner:
        """Whose they are."""
        return Owner(self.organization, self.kind, self.id)


class _Journal(msgspec.Struct, frozen=True, kw_only=True):
    format: int = 1
    owners: list[tuple[str, Kind, str]]


class Room(Protocol):
    """What the shelf needs of the vault."""

    inner: Path
    files: FileSystem

    def locate(self, kind: Kind, organization: str, id: str) -> Day | None:
        """The day that holds this id."""
        ...


class SecretShelf:
    """The files with secrets; it knows no key."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._folder = room.inner / FOLDER
        self._noted: set[Owner] = set()

    def find(self, owner: Owner) -> Kept | None:
        """The secrets of an owner, still encrypted.

        Raises:
            DamagedFileError: The file is not what was written.
        """
        found = self.read(self._folder / owner.file)
        if found is not None and found.owner != owner:
            raise DamagedFileError(f"{INNER}/{FOLDER}/{owner.file}", "it belongs to something else")
        return found

    def iter(self) -> Iterator[Kept]:
        """All secrets, still encrypted.

        Raises:
            DamagedFileError: A file is not what was written.
        """
        for path in self.paths():
            found = self.read(path)
            if found is not None:
                yield found

    def paths(self) -> list[Path]:
        """The files of all owners."""
        return [
            path
            for path in iter_files(self._room.files, self._folder)
            if path.suffix == ".json" and path.name != KEY_FILE
        ]

    def put(self, new: Mapping[Owner, Mapping[str, str]]) -> None:
        """Add secrets to what there is; until `settle` the journal names their owners.

        Raises:
            DamagedFileError: A file that is to be added to is not what was written.
            OSError: The file system refuses.
        """
        changed: list[Kept] = []
        for owner, secrets in new.items():
            known = self.find(owner)
            before = {} if known is None else known.secrets
            merged = {**secrets, **before}
            if merged.keys() != before.keys():
                changed.append(
                    Kept(organization=owner.organization, kind=owner.kind, id=owner.id, secrets=merged)
                )
        if not changed:
            return
        self._room.files.make_folder(self._folder)
        self._noted.update(one.owner for one in changed)
        self._write_journal()
        for one in changed:
            path = self._folder / one.owner.file
            self._room.files.make_folder(path.parent)
            write_durably(self._room.files, path, seal(one))

    def remove(self, owners: Iterable[Owner]) -> None:
        """Forget the secrets of these for good.

        Raises:
            OSError: The file system refuses.
        """
        for owner in owners:
            path = self._folder / owner.file
            try:
                self._room.files.size(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            self._room.files.remove(path)
            self._room.files.sync_folder(path.parent)
            self._room.files.remove_folder(path.parent)

    def settle(self) -> None:
        """Remove secrets that were written for an owner that did not come, and empty the journal.

        Raises:
            OSError: The file system refuses.
        """
        if not self._noted:
            return
        room = self._room
        self.remove(
            one for one in sorted(self._noted) if room.locate(one.kind, one.organization, one.id) is None
        )
        self._noted.clear()
        self._write_journal()

    def recover(self) -> None:
        """Finish what a killed writer had begun; the manifests are in order by now.

        Raises:
            OSError: The file system refuses.
        """
        try:
            data = self._room.files.read(self._room.inner / JOURNAL)
            self._noted = {Owner(*one) for one in unseal(data, _Journal, f"{INNER}/{JOURNAL}").owners}
        except (FileNotFoundError, BadJsonError):
            return  # no crash damages it; `verify` names it, and secrets without an owner too
        self.settle()

    def _write_journal(self) -> None:
        known = [(one.organization, one.kind, one.id) for one in sorted(self._noted)]
        write_durably(self._room.files, self._room.inner / JOURNAL, seal(_Journal(owners=known)))

    def read(self, path: Path) -> Kept | None:
        """The secrets in a file, still encrypted, or none where there is no file.

        Raises:
            DamagedFileError: It is not what was written.
        """
        where = f"{INNER}/{FOLDER}/{path.parent.name}/{path.name}"
        try:
            return unseal(self._room.files.read(path), Kept, where)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except BadJsonError as error:
            raise DamagedFileError(where, str(error)) from error
        except OSError as error:
            raise from_os_error(error, f"reading {where}") from error


class SecretBook:
    """Masks and reveals with a key.

    Args:
        shelf: Where secrets are kept.
        room: The vault.
        key: At least 32 characters, as random as can be.
        stable: Give the same text the same token in all conversations.
        is_writer: Make the file that proves the key, where there is none.
        random_bytes: Where randomness comes from.

    Raises:
        WrongKeyError: The archive's secrets were written with another key.
        ConfigError: The key is too short, or the package ``cryptography`` is not installed.
    """

    def __init__(
        self,
        shelf: SecretShelf,
        room: Room,
        key: str,
        *,
        stable: bool = False,
        is_writer: bool = True,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if len(key) < MIN_KEY_CHARS:
            raise ConfigError(f"the key for redaction has to have {MIN_KEY_CHARS} characters or more")
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise ConfigError(
                "redaction that can be taken back needs the package cryptography: pip install 'weft[reveal]'"
            ) from error
        self._shelf = shelf
        self._stable = stable
        self._random = random_bytes
        self._key = key
        master = _prove(room, key, shelf, random_bytes, is_writer=is_writer)
        self._naming = hmac.digest(master, b"tokens", "sha256")
        self._cipher = AESGCM(hmac.digest(master, b"texts", "sha256"))

    def beside(self, shelf: SecretShelf, room: Room) -> SecretBook:
        """The book of another archive, opened with the same key, and only read.

        Raises:
            WrongKeyError: It was written with another key.
            DamagedFileError: What proves its key is not what was written.
        """
        return SecretBook(
            shelf, room, self._key, stable=self._stable, is_writer=False, random_bytes=self._random
        )

    def go_on_with(self, other: SecretBook) -> None:
        """Mask and reveal as another book does, from which this one has everything now."""
        self._naming, self._cipher = other._naming, other._cipher

    def token(self, scope: str, rule: str, text: str) -> str:
        """What stands for a text; always the same for the same.

        Args:
            scope: Id of the conversation, or of a run without one.
            rule: Name of the rule that found it.
            text: What it found.
        """
        scope = "" if self._stable else scope
        message = f"{len(scope)}\0{scope}\0{rule}\0{text}".encode("utf-8", "surrogatepass")
        name = hmac.digest(self._naming, message, "sha256").hex()[:20].translate(_LETTERS)
        return f"[{rule.upper()}:{name}]"

    def encrypt(self, owner: Owner, found: Mapping[str, str]) -> dict[str, str]:
        """The secrets of an owner as they are kept, those that are kept already left out.

        Args:
            owner: Whose they are.
            found: Texts by their tokens.

        Raises:
            DamagedFileError: What is kept already is not what was written.
        """
        known = self._shelf.find(owner)
        before = {} if known is None else known.secrets
        made = {}
        for token, text in found.items():
            if token not in before:
                nonce = self._random(12)
                data = text.encode("utf-8", "surrogatepass")
                made[token] = b64encode(
                    nonce + self._cipher.encrypt(nonce, data, _bound(owner, token))
                ).decode()
        return made

    def decrypt(self, found: Kept) -> dict[str, str]:
        """Texts by their tokens.

        Raises:
            DamagedFileError: One was changed, or belongs elsewhere.
        """
        from cryptography.exceptions import InvalidTag

        texts = {}
        for token, kept in found.secrets.items():
            try:
                data = b64decode(kept, validate=True)
                plain = self._cipher.decrypt(data[:12], data[12:], _bound(found.owner, token))
            except (ValueError, InvalidTag) as error:
                raise DamagedFileError(
                    f"{INNER}/{FOLDER}/{found.owner.file}", f"the secret of {token} was changed"
                ) from error
            texts[token] = plain.decode("utf-8", "surrogatepass")
        return texts


def _prove(
    room: Room, key: str, shelf: SecretShelf, random_bytes: Callable[[int], bytes], *, is_writer: bool
) -> bytes:
    """The master key, proven against the archive's."""
    path = room.inner / FOLDER / KEY_FILE
    where = f"{INNER}/{FOLDER}/{KEY_FILE}"
    try:
        known = unseal(room.files.read(path), _KeyFile, where)
    except (FileNotFoundError, NotADirectoryError):
        if shelf.paths():
            raise DamagedFileError(where, "it is absent") from None
        salt = random_bytes(16)
        master = _master(key, salt)
        if is_writer:
            try:
                room.files.make_folder(path.parent)
                write_durably(room.files, path, seal(_KeyFile(salt=salt.hex(), check=_check(master))))
            except OSError as error:
                raise from_os_error(error, f"writing {where}") from error
        return master
    except BadJsonError as error:
        raise DamagedFileError(where, str(error)) from error
    except OSError as error:
        raise from_os_error(error, f"reading {where}") from error
    master = _master(key, bytes.fromhex(known.salt))
    if not hmac.compare_digest(_check(master), known.check):
        raise WrongKeyError(
            "the key for redaction (archive.redact_key) is not the one that this archive's secrets were "
            "written with; set that one, or none to redact without keeping anything"
        )
    return master


def _master(key: str, salt: bytes) -> bytes:
    return hashlib.scrypt(key.encode(), salt=salt, dklen=32, n=2**14, r=8, p=1)


def _check(master: bytes) -> str:
    return hmac.digest(master, b"check", "sha256").hex()[:32]


def _bound(owner: Owner, token: str) -> bytes:
    """What a ciphertext is bound to."""
    return f"{owner.kind}\0{owner.organization}\0{owner.id}\0{token}".encode("utf-8", "surrogatepass")
