"""How a value reads as text, in a prompt and in an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from weft.variables.file import File
from weft.variables.value import Value, to_native


def render_text(value: Value) -> str:
    """The value inside a prompt, a request or a condition.

    Booleans read ``True`` and ``False``, and lists of other things than texts read as Python shows them:
    flows in the wild compare with exactly that.
    """
    match value:
        case str():
            return value
        case None | File() | []:
            return ""
        case dict():
            return json.dumps(to_native(value), ensure_ascii=False)
        case list():
            if all(isinstance(item, str) for item in value):
                return json.dumps(value, ensure_ascii=False)
            if all(isinstance(item, File) for item in value):
                return ""
            return str(to_native(value))
        case _:
            return str(value)


def render_markdown(value: Value) -> str:
    """The value inside an answer: lists as bullets, objects as indented JSON, files as links."""
    match value:
        case File():
            return file_link(value)
        case dict():
            return json.dumps(to_native(value), ensure_ascii=False, indent=2)
        case list():
            if value and all(isinstance(item, File) for item in value):
                return "\n".join(render_markdown(item) for item in value)
            return "\n".join(f"- {_bullet(item)}" for item in value)
        case _:
            return render_text(value)


def file_link(file: File) -> str:
    """A Markdown link to the file, or the image itself."""
    label = file.filename or file.link
    if file.type == "image":
        return f"![{label}]({file.link})"
    return f"[{label}]({file.link})"


def mask_secret(secret: str) -> str:
    """What is shown in place of a secret: its first six and last two characters at the most."""
    if len(secret) <= 8:
        return "*" * 20
    return secret[:6] + "*" * 12 + secret[-2:]


def mask_secrets(value: Value, secrets: Sequence[str]) -> Value:
    """The value with every secret in its texts masked."""
    if isinstance(value, str):
        for secret in secrets:
            if secret in value:
                value = value.replace(secret, mask_secret(secret))
        return value
    if isinstance(value, list):
        return [mask_secrets(item, secrets) for item in value]
    if isinstance(value, dict):
        return {key: mask_secrets(item, secrets) for key, item in value.items()}
    return value


def _bullet(item: Value) -> str:
    if isinstance(item, dict | list):
        return json.dumps(to_native(item), ensure_ascii=False)
    return render_markdown(item)
