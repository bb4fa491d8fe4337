"""Lists as tables: one row for each object, one column for each field, for pandas and Arrow.

What is an object itself becomes columns with a dotted name, one level deep; what lies deeper, and lists,
become JSON text. Unix seconds under a name that ends in ``_at`` become instants in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING

from weft.errors import ConfigError

if TYPE_CHECKING:
    from types import ModuleType

    import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]  # both come without types
    import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]

    from weft.wire import WireModel


def to_arrow(rows: Iterable[WireModel]) -> pyarrow.Table:
    """A table of objects, e.g. of a page or of everything that an `iter_` method gives.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    pyarrow = _library("pyarrow")
    columns = _columns(rows)
    return pyarrow.table({name: _array(pyarrow, values) for name, values in columns.items()})


def to_pandas(rows: Iterable[WireModel]) -> pandas.DataFrame:
    """A data frame of objects, e.g. of a page or of everything that an `iter_` method gives.

    Raises:
        ConfigError: pandas is not installed.
    """
    pandas = _library("pandas")
    return pandas.DataFrame(_columns(rows))


def _library(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(f"{name} is not installed; pip install 'weft[analytics]'") from error


def _columns(rows: Iterable[WireModel]) -> dict[str, list[object]]:
    flat = [dict(_cells(row)) for row in rows]
    names = dict.fromkeys(name for cells in flat for name in cells)
    return {name: [cells.get(name) for cells in flat] for name in names}


def _cells(row: WireModel) -> Iterator[tuple[str, object]]:
    from weft.wire import WireModel

    objects = {
        field.serialization_alias or name
        for name, field in type(row).model_fields.items()
        if isinstance(getattr(row, name), WireModel)
    }
    for name, value in row.model_dump(by_alias=True).items():
        if name in objects:
            yield from ((f"{name}.{part}", _cell(part, inner)) for part, inner in value.items())
        else:
            yield name, _cell(name, value)


def _cell(name: str, value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if name.endswith("_at") and isinstance(value, int) and not isinstance(value, bool):
        from weft.wire import parse_instant

        return parse_instant(value)
    if value is None or isinstance(value, (str, int, float, Decimal, datetime)):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _array(pyarrow: ModuleType, values: list[object]) -> pyarrow.Array:
    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):
        # Values of several types: text then, as every one of them has one.
        return pyarrow.array([None if value is None else str(value) for value in values])
