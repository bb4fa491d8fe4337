"""The bytes of files: where they are kept, what they are called there, and links to them that expire.

::

    files = await open_file_store("s3://bucket/prefix")
    await files.put(file_id, data, max_bytes=15 * MIB)
    async for piece in files.open(file_id, start=0, end=len(data)):
        ...
    await files.close()

What a file is called, whose it is and who may see it is not known here; keys are made of ids alone.
"""

from weft.files.error import FileMissingError, FileStoreError, FileTooLargeError
from weft.files.key import file_key
from weft.files.link import LINK_SECONDS, FileLinks, LinkKind
from weft.files.name import Category, category_of, clean_name, extension_of
from weft.files.opening import open_file_store
from weft.files.port import ByteSource, FileStore

__all__ = [
    "LINK_SECONDS",
    "ByteSource",
    "Category",
    "FileLinks",
    "FileMissingError",
    "FileStore",
    "FileStoreError",
    "FileTooLargeError",
    "LinkKind",
    "category_of",
    "clean_name",
    "extension_of",
    "file_key",
    "open_file_store",
]
