"""The masks of secrets in messages about a configuration."""

from __future__ import annotations

import re

from gridsim.redaction import MASK

SECRET_NAME = re.compile(r"passw(or)?d|passphrase|secret|token|credential|api_?key", re.IGNORECASE)
# A URL with a password, or with a user name, which may be a token; or USER:PASSWORD@HOST alone.
LOGIN_IN_URL = re.compile(r"://(?=[^\"'@]*@)|(?<=[\"'=])[\w.%+-]+:(?=[^\s\"'@/]*@)")
ONLY_PLACEHOLDERS = re.compile(r"[\"']*(\$\{\w+(:-)?\})*[\"']*")


def mask_line(source: str) -> str:
    """Return a line of invalid TOML, cut after the first key that names a secret."""
    match = re.search(rf"\b\w*?(?:{SECRET_NAME.pattern})[\w\"'.]*\s*=?\s*", source, re.IGNORECASE)
    match = match or LOGIN_IN_URL.search(source)
    return source[: match.end()] + MASK if match else source


def mask_flag(flag: str, *, secret: bool = False) -> str:
    """Mask the value in `--set KEY=VALUE` if it is secret or may contain a secret."""
    key, equals, _ = flag.partition("=")
    # A value may be a table with further keys, or a query with names.
    keys = re.findall(r"[\w.\"'-]+\s*=", flag)
    named = any(SECRET_NAME.search(word) for word in keys) or LOGIN_IN_URL.search(flag)
    return f"{key}={MASK}" if equals and (secret or named) else flag
