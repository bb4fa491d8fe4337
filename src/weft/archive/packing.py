"""Files packed with zstandard and a dictionary that was trained on the archive's own conversations.

The dictionary's number stands in every packed file, so an archive may hold several dictionaries and any
program that knows zstandard can unpack with the one of that number.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import zstandard

from weft.archive.errors import DamagedFileError
from weft.archive.file_system import FileSystem, write_durably
from weft.archive.json_text import digest

LEVEL = 3
DICTIONARY_BYTES = 64 * 1024
FEWEST_SAMPLES = 16
"""Below this, a dictionary would learn single conversations by heart."""
SAMPLE_BYTES = 8 * 1024 * 1024
LARGEST_BYTES = 1 << 31
"""What a packed file may unpack to; a larger size in its header is a bomb."""
FOLDER = "dictionaries"


class Packer:
    """Packs and unpacks with the dictionaries in one folder.

    Args:
        folder: ``logs/.weft/dictionaries``; files are named ``<number>.zdict``.
    """

    def __init__(self, folder: Path, files: FileSystem) -> None:
        self._folder = folder
        self._files = files
        self._local = threading.local()
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}

    def numbers(self) -> list[int]:
        """The dictionaries that are there, in order."""
        try:
            names = [name for name, _ in self._files.list(self._folder)]
        except FileNotFoundError:
            return []
        return sorted(int(name[:-6]) for name in names if name.endswith(".zdict") and name[:-6].isdigit())

    def check(self, number: int) -> None:
        """Prove a dictionary against the checksum beside it.

        Raises:
            DamagedFileError: A byte of it has changed, or the checksum is absent.
        """
        where = f"logs/.weft/{FOLDER}/{number}.zdict"
        try:
            data = self._files.read(self._folder / f"{number}.zdict")
            said = self._files.read(self._folder / f"{number}.sha256")
        except FileNotFoundError as error:
            raise DamagedFileError(where, "it or its checksum is absent") from error
        if said != _checksum(number, data):
            raise DamagedFileError(where, "its content is not what was written")

    def train(self, samples: Sequence[bytes]) -> int | None:
        """Make a dictionary and keep it; none when there is too little to learn from.

        Returns:
            Its number.
        """
        if len(samples) < FEWEST_SAMPLES or sum(map(len, samples)) < 4 * DICTIONARY_BYTES:
            return None
        try:
            trained = zstandard.train_dictionary(DICTIONARY_BYTES, list(samples), level=LEVEL)
        except zstandard.ZstdError:
            return None
        number = trained.dict_id()
        self.keep(number, trained.as_bytes())
        return number

    def keep(self, number: int, data: bytes) -> None:
        """Write a dictionary with its checksum, in the form of the program sha256sum."""
        self._files.make_folder(self._folder)
        write_durably(self._files, self._folder / f"{number}.sha256", _checksum(number, data))
        write_durably(self._files, self._folder / f"{number}.zdict", data)

    def pack(self, data: bytes, number: int | None) -> bytes:
        """The packed form of a file.

        Args:
            number: Of the dictionary; none packs without.
        """
        dictionary = None if number is None else self._dictionary(number, "packing")
        packer = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary, write_checksum=True)
        return packer.compress(data)

    def unpack(self, data: bytes, path: str) -> bytes:
        """The file as it was.

        Raises:
            DamagedFileError: It does not unpack, or its dictionary is absent.
        """
        try:
            header = zstandard.get_frame_parameters(data)
            if header.content_size > LARGEST_BYTES:
                raise DamagedFileError(path, "it says that it unpacks to more than 2 GiB")
            unpacker = self._unpacker(header.dict_id, path)
            return unpacker.decompress(data)
        except (zstandard.ZstdError, MemoryError) as error:
            raise DamagedFileError(path, f"it does not unpack ({error})") from error

    def _unpacker(self, number: int, path: str) -> zstandard.ZstdDecompressor:
        """One for each thread and dictionary: making one is dear, and threads cannot share it."""
        known: dict[int, zstandard.ZstdDecompressor] | None = getattr(self._local, "unpackers", None)
        if known is None:
            known = self._local.unpackers = {}
        if number not in known:
            dictionary = self._dictionary(number, path) if number else None
            known[number] = zstandard.ZstdDecompressor(dict_data=dictionary)
        return known[number]

    def _dictionary(self, number: int, path: str) -> zstandard.ZstdCompressionDict:
        known = self._dictionaries.get(number)
        if known is not None:
            return known
        where = f"logs/.weft/{FOLDER}/{number}.zdict"
        try:
            data = self._files.read(self._folder / f"{number}.zdict")
        except FileNotFoundError as error:
            raise DamagedFileError(path, f"its dictionary {where} is absent") from error
        dictionary = zstandard.ZstdCompressionDict(data)
        if dictionary.dict_id() != number:
            raise DamagedFileError(where, "it is another dictionary")
        dictionary.precompute_compress(level=LEVEL)
        self._dictionaries[number] = dictionary
        return dictionary


def _checksum(number: int, data: bytes) -> bytes:
    return f"{digest(data)}  {number}.zdict\n".encode()
