"""The keys of a table that name the file of a secret, such as `password_file`."""

from __future__ import annotations

from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr

_END: Final = "_file"


def file_keys(model: type[BaseModel]) -> dict[str, str]:
    """Return the keys of a model's table that name the file of a secret, each with the secret.

    Each setting that is one secret, such as `password`, has such a key: `password_file`. A setting
    of that name takes precedence.
    """
    return {
        key: name
        for name, info in model.model_fields.items()
        if _is_secret(info.annotation) and (key := counterpart(name)) not in model.model_fields
    }


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys that the table of a model may have."""
    return [*model.model_fields, *file_keys(model)]


def counterpart(key: str) -> str:
    """Return the key of a secret's file for that of the secret, and the reverse."""
    return key.removesuffix(_END) if key.endswith(_END) else f"{key}{_END}"


def file_description(name: str) -> str:
    """Return the description of the key for the file of a secret."""
    return f"file that holds {name}, relative to the folder of the configuration; instead of {name}"


def _is_secret(annotation: Any) -> bool:
    """Return whether a setting is one secret, and not a table or an array of secrets."""
    is_union = get_origin(annotation) in (Union, UnionType)
    kinds = set(get_args(annotation)) - {type(None)} if is_union else {annotation}
    return bool(kinds) and kinds <= {SecretStr, SecretBytes}
