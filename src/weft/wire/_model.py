"""The base of every model on the wire: tolerant of keys it does not know, frozen, quick to import.

Pydantic builds a validator when a model is first used (`defer_build`), so importing this room costs
the class bodies only. A model may be extended by any server; what is not declared here is kept and
travels on when the model is dumped again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class WireModel(BaseModel):
    """A JSON object of the HTTP contract."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        defer_build=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
    )

    @property
    def extra(self) -> Mapping[str, object]:
        """The keys that came along and are not declared, as parsed JSON."""
        return self.__pydantic_extra__ or {}

    def to_dict(self, *, include_none: bool = True) -> dict[str, object]:
        """This object as plain JSON values under its wire names; the inverse of `from_dict`.

        Args:
            include_none: Whether declared fields without a value appear as ``None``.
        """
        return self.model_dump(mode="json", exclude_none=not include_none)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """Read an object from plain JSON values.

        Raises:
            pydantic.ValidationError: A value has the wrong type (also a `ValueError`).
        """
        return cls.model_validate(data)

    def to_json(self) -> bytes:
        """This object as compact UTF-8 JSON, not ASCII-escaped."""
        return self.__pydantic_serializer__.to_json(self)


class SparseModel(WireModel):
    """A JSON object whose optional keys are absent, not null, unless somebody gave them.

    For objects that pass a configuration through whole, and for keys that only some answers have.
    """

    always: ClassVar[frozenset[str]] = frozenset()
    """Fields that are null when nobody gave them, like those of other models."""

    @model_serializer(mode="wrap")
    def _without_what_nobody_gave(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        dumped: dict[str, object] = dump(self)
        given = self.model_fields_set | self.always
        for name, field in type(self).model_fields.items():
            if name not in given and getattr(self, name) is None:
                dumped.pop(field.serialization_alias or name, None)
        return dumped
