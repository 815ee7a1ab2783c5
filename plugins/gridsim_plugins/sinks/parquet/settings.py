"""The settings of the transport `parquet`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator

from gridsim.api import ColumnSettings, LocalPath, RunPeriod, Unit


class ParquetSettings(ColumnSettings):
    """Settings of the transport `parquet`."""

    # An error of pydantic would also show the other settings, including the secret.
    model_config = ConfigDict(hide_input_in_errors=True)

    path: LocalPath = Field(
        "out/readings",
        min_length=1,
        description="folder of the files, relative to the folder of the configuration",
    )
    url: str = Field(
        "",
        description="place of the files instead of path, as fsspec names it, such as "
        "s3://bucket/readings; credentials that are not set here come from the environment",
    )
    access_key: str = Field("", description="access key of an object storage, with secret_key")
    secret_key: SecretStr = Field(SecretStr(""), description="secret of the access key")
    storage_options: dict[str, str | int | bool] = Field(
        {},
        description="further options of fsspec for the url, such as endpoint_url; no secrets",
    )
    journal: LocalPath = Field(
        "out/journal",
        min_length=1,
        description="local folder of the readings that are not yet in a Parquet file; one run at a "
        "time can use it; may contain {shard} (the number of a shard, such as 0-of-4)",
    )
    rows_per_file: int = Field(
        1_000_000, ge=1, le=100_000_000, description="number of rows after which a file is written"
    )
    file_s: Annotated[int | None, Unit("s")] = Field(
        None,
        ge=1,
        description="simulated time per file, a divisor of 86400; unset: a day, because each file "
        "has one date",
    )
    compression: Literal["zstd", "snappy", "gzip", "none"] = Field(
        "zstd", description="compression of the files"
    )

    @field_validator("file_s")
    @classmethod
    def _of_a_day(cls, value: int | None) -> int | None:
        if value is not None and 86_400 % value:
            raise ValueError("must divide 86400, such as 3600")
        return value

    @field_validator("url")
    @classmethod
    def _with_scheme(cls, value: str) -> str:
        if value and "://" not in value:
            raise ValueError('must begin with a scheme, such as "s3://"; a folder is the path')
        if value and not all(part.strip("/") for part in value.split("://", 1)):
            raise ValueError('must name a place after the scheme, such as "s3://bucket/run"')
        if "@" in value.partition("://")[2].partition("/")[0]:
            raise ValueError("must not have credentials: use access_key and secret_key")
        return value.rstrip("/")

    def claims(self) -> Iterator[tuple[str, str]]:
        """Yield the journal."""
        yield "journal", f"the folder {os.path.normpath(self.journal)}"

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problems of the folders."""
        for name in ("journal",) if self.url else ("path", "journal"):
            folder = getattr(self, name)
            if os.path.exists(folder) and not os.path.isdir(folder):
                yield name, f"names {folder}, which is not a folder"
