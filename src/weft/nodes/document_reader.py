"""Text of books and of mails."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

from weft.nodes.document_encoding import decode_text
from weft.nodes.document_error import TextExtractionError
from weft.nodes.document_html import html_text
from weft.nodes.document_package import Package, beside, local


def epub_text(data: bytes) -> str:
    """The chapters of a book in their order.

    Raises:
        TextExtractionError: It is none, or damaged.
    """
    package = Package(data)
    container = package.xml("META-INF/container.xml")
    index = next((item.get("full-path") for item in container.iter() if local(item) == "rootfile"), None)
    if not index:
        raise TextExtractionError("the book does not say where its table of contents is")
    root = package.xml(index)
    members = {
        item.get("id", ""): beside(index, item.get("href", ""))
        for item in root.iter()
        if local(item) == "item"
    }
    chapters = (members.get(item.get("idref", "")) for item in root.iter() if local(item) == "itemref")
    texts = (html_text(decode_text(package.read(name))) for name in chapters if name and name in package)
    return "\n\n".join(text for text in texts if text)


def eml_text(data: bytes) -> str:
    """What a mail says; attachments are left out.

    Raises:
        TextExtractionError: Its text cannot be decoded.
    """
    message = email.message_from_bytes(data, policy=email.policy.default)
    try:
        body = message.get_body(("plain", "html"))
        if not isinstance(body, EmailMessage):
            return ""
        text = _content(body)
    except (LookupError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise TextExtractionError(f"this mail cannot be read: {error}") from error
    return html_text(text) if body.get_content_type() == "text/html" else text.strip()


def _content(body: EmailMessage) -> str:
    try:
        return str(body.get_content())
    except LookupError:  # a character set that nobody knows
        payload = body.get_payload(decode=True)
        return decode_text(payload) if isinstance(payload, bytes) else ""
