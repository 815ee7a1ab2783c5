"""The address of the API."""

from __future__ import annotations

V1 = "/api/v1"
