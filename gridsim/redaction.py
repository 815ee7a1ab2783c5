"""The secrets of this process, and their masks in texts for people.

They belong to the process, not to a run, because its log and its standard error do.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64decode
from binascii import Error
from urllib.parse import quote, quote_plus

MASK = "****"
SHORTEST = 6
"""The length of the shortest secret that is masked in texts.

The mask of a shorter one would show where it stands in ordinary words, and so what it is.
"""

_PEM = "-----"
"""The start of the first and the last line of a PEM file: these lines are not secret."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")


class Redactor:
    """Secrets, and a mask for each place of a text where one is.

    A secret is found as it is, as JSON, Python, a URL and HTML write it, in Base64, and line by
    line. The time for a text does not depend on the number of secrets.
    """

    def __init__(self) -> None:
        self._written: dict[str, tuple[str, ...]] = {}
        """The forms of all secrets by their first characters, the longest first."""

    def add(self, secret: str) -> None:
        """Mask a secret from now on. One of fewer than `SHORTEST` characters is left out."""
        for part in {secret, *secret.splitlines(), secret.strip()}:
            if len(part) >= SHORTEST and not part.startswith(_PEM):
                for form in _forms(part):
                    self._add(form)

    def clean(self, text: str) -> str:
        """Return the text with a mask in the place of each secret."""
        if not self._written:
            return text
        text = self._masked(text)
        return _BASE64.sub(lambda run: MASK if self._is_hidden_in(run[0]) else run[0], text)

    def _add(self, form: str) -> None:
        start = form[:SHORTEST]
        others = self._written.get(start, ())
        if form not in others:
            self._written[start] = tuple(sorted((*others, form), key=len, reverse=True))

    def _masked(self, text: str) -> str:
        parts, done, at = [], 0, 0
        while at <= len(text) - SHORTEST:
            for form in self._written.get(text[at : at + SHORTEST], ()):
                if text.startswith(form, at):
                    parts += [text[done:at], MASK]
                    done = at = at + len(form)
                    break
            else:
                at += 1
        return "".join([*parts, text[done:]]) if parts else text

    def _is_hidden_in(self, run: str) -> bool:
        """Return whether a text of letters of Base64 is one, and holds a secret."""
        letters = run.rstrip("=").translate(_URL_SAFE)
        for start in range(4):
            whole = letters[start:]
            whole = whole[: len(whole) - 1] if len(whole) % 4 == 1 else whole
            try:
                found = b64decode(whole + "=" * (-len(whole) % 4)).decode(errors="replace")
            except (Error, ValueError):
                continue
            if self._masked(found) is not found:
                return True
        return False


def _forms(secret: str) -> set[str]:
    """Return a secret as it is and as other texts write it."""
    raw = secret.encode(errors="surrogatepass")
    urls = [quote(raw, safe=""), quote(raw), quote_plus(raw)]
    escaped = secret.encode("unicode_escape").decode()
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        escaped,
        escaped.replace('"', '\\"'),
        html.escape(secret),
        html.escape(secret, quote=False),
        *urls,
        *(re.sub("%..", lambda code: code[0].lower(), url) for url in urls),
    }


_of_process = Redactor()


def keep_secret(secret: str) -> None:
    """Mask a text in all logs and error messages of this process from now on.

    The values of `SecretStr` settings are masked without a call. A plugin calls it for a secret
    that it gets in another way, such as a token from a server. A text of fewer than 6 characters
    is not masked.
    """
    _of_process.add(secret)


def redacted(text: str) -> str:
    """Return a text with a mask in the place of each secret of this process."""
    return _of_process.clean(text)
