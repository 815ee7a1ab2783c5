"""Timestamps as text."""

from __future__ import annotations

from datetime import datetime, timedelta

_EPOCH = datetime(1970, 1, 1)


def rfc3339(time_ms: int) -> str:
    """Return UTC `time_ms` (ms since 1970) in the form of the record: 2024-02-16T14:30:25.123Z."""
    at = _EPOCH + timedelta(milliseconds=time_ms)
    return at.isoformat(timespec="milliseconds") + "Z"


def utc_date(time_ms: int) -> str:
    """Return the UTC day of `time_ms` (ms since 1970): 2024-02-16."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).date().isoformat()


def compact_stamp(time_ms: int) -> str:
    """Return UTC `time_ms` (ms since 1970) for a file name: 20240216T143025Z."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y%m%dT%H%M%SZ")
