"""The secrets in settings, which no text may show."""

from __future__ import annotations

import re
from typing import Any, Final

from gridsim.config.text.locate import KeyPath
from gridsim.config.text.masking import SECRET_NAME
from gridsim.redaction import keep_secret

_PLAIN_WORD: Final = re.compile(SECRET_NAME.pattern, re.IGNORECASE)


def shows_part(message: str, secret: Any) -> bool:
    """Return whether a message may show a part of a secret."""
    text = str(secret)
    return any(text[at : at + 3] in message for at in range(max(1, len(text) - 2)) if text)


def hide(path: KeyPath, value: Any) -> None:
    """Mask the secret at a path in all texts.

    One such as "password" is not masked, because that would hide an ordinary word.
    """
    if isinstance(value, str) and not _PLAIN_WORD.fullmatch(value) and value not in path:
        keep_secret(value)
