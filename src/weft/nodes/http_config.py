"""What a file says of an HTTP request node, in every shape that exports have."""

from __future__ import annotations

import json
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from weft.nodes.config import NodeConfig, SelectorField

Method: TypeAlias = Literal["get", "post", "put", "patch", "delete", "head", "options"]
BodyType: TypeAlias = Literal["none", "form-data", "x-www-form-urlencoded", "raw-text", "json", "binary"]

_FORMS = ("form-data", "x-www-form-urlencoded")


def _text(value: object) -> object:
    match value:
        case None:
            return ""
        case bool() | int() | float() | dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return value


def _empty(value: object) -> object:
    return None if value == "" else value


TextField = Annotated[str, BeforeValidator(_text)]
"""A text; what is none, as numbers that YAML has read, becomes one."""
Seconds = Annotated[float | None, BeforeValidator(_empty)]


class AuthorizationConfig(BaseModel):
    """The key, and how it is sent."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["basic", "bearer", "custom"] | None = None
    api_key: TextField = Field(default="", repr=False)
    """With variables."""
    header: TextField = ""

    @field_validator("type", mode="before")
    @classmethod
    def _no_type(cls, value: object) -> object:
        return value or None


class Authorization(BaseModel):
    """Whether a key is sent; what is wrong with it shows when the node runs."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["no-auth", "api-key"] = "no-auth"
    config: AuthorizationConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _unused(cls, value: object) -> object:
        # Editors leave anything behind where the key was switched off.
        if isinstance(value, dict) and (value.get("type") != "api-key" or not value.get("config")):
            return {"type": value.get("type") or "no-auth"}
        return value


class BodyItem(BaseModel):
    """One field of a form, or the whole body."""

    model_config = ConfigDict(extra="ignore")

    key: TextField = ""
    type: Literal["text", "file"] = "text"
    value: TextField = ""
    file: SelectorField = ()

    @field_validator("file", mode="before")
    @classmethod
    def _no_file(cls, value: object) -> object:
        return value or ()


class Body(BaseModel):
    """What is sent."""

    model_config = ConfigDict(extra="ignore")

    type: BodyType = "none"
    data: list[BodyItem] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _one_shape(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        kind, data = value.get("type") or "none", value.get("data") or []
        if isinstance(data, str):
            # Older editors kept a form as lines of ``key:value``.
            lines = [line.partition(":") for line in data.splitlines() if line.strip()]
            pairs = [{"key": key.strip(), "value": text.strip()} for key, _, text in lines]
            data = pairs if kind in _FORMS else [{"value": data}]
        return {"type": kind, "data": data}


class Timeout(BaseModel):
    """Seconds; what is missing or 0 asks for the configured time."""

    model_config = ConfigDict(extra="ignore")

    connect: Seconds = None
    read: Seconds = None
    write: Seconds = None


class HttpRequestConfig(NodeConfig):
    """A request with variables in it."""

    method: Method = "get"
    url: TextField = ""
    authorization: Authorization = Field(default_factory=Authorization)
    headers: TextField = ""
    params: TextField = ""
    body: Body = Field(default_factory=Body)
    timeout: Timeout = Field(default_factory=Timeout)
    ssl_verify: bool | None = None
    """``None`` means yes."""

    @field_validator("method", mode="before")
    @classmethod
    def _either_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("authorization", "body", "timeout", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return value or {}

    @field_validator("ssl_verify", mode="before")
    @classmethod
    def _default(cls, value: object) -> object:
        return None if value == "" else value
