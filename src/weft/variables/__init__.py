"""Values of a run: their types, the pool that holds them, templates that name them, and their text forms.

A value is plain Python data (``None``, ``str``, ``bool``, ``int``, ``float``, ``dict``, ``list``) or a
`File`. Declared types are kept beside the values, because an empty list does not know what it may hold.
"""

from weft.variables.file import File, FileType, TransferMethod, kind_of, remote_file
from weft.variables.frozen import freeze, thaw, thaw_all
from weft.variables.history import history_context, history_runs, history_text
from weft.variables.pool import MISSING, RESERVED, Missing, VariablePool, walk
from weft.variables.render import mask_secret, mask_secrets, render_markdown, render_text
from weft.variables.selector import Selector, as_selector
from weft.variables.template import Template, compile_template
from weft.variables.value import (
    ARRAY_TYPES,
    Value,
    ValueType,
    coerce,
    element_type,
    infer_type,
    matches,
    revive,
    to_native,
    zero_value,
)

__all__ = [
    "ARRAY_TYPES",
    "MISSING",
    "RESERVED",
    "File",
    "FileType",
    "Missing",
    "Selector",
    "Template",
    "TransferMethod",
    "Value",
    "ValueType",
    "VariablePool",
    "as_selector",
    "coerce",
    "compile_template",
    "element_type",
    "freeze",
    "history_context",
    "history_runs",
    "history_text",
    "infer_type",
    "kind_of",
    "mask_secret",
    "mask_secrets",
    "matches",
    "remote_file",
    "render_markdown",
    "render_text",
    "revive",
    "thaw",
    "thaw_all",
    "to_native",
    "walk",
    "zero_value",
]
