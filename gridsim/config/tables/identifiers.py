"""The ids of projects and DERs: the allowed characters and the templates."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

MAX_BYTES = 128

_PART = re.compile(r"\{(?P<name>n|project_id)(?::0(?P<width>\d{1,2}))?\}|(?P<other>[{}])")
_REFUSED = re.compile(r"[/+#$\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Control, format and private-use characters, surrogates, and separators: all spaces but one.
_INVISIBLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs")
# Letters and marks that are not visible, among them the variation selectors; and the code points
# that are reserved for more of them.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\uffa0\ufe00-\ufe0f\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)

Maker = Callable[[int, str], str]
"""A function of (n, project_id) that returns an id."""


def template(text: str, *, of_project: bool) -> Maker:
    """Return the function that makes the ids. Raises ValueError if the template is invalid.

    `/ + # $` are special in MQTT topics, and `.` and `..` in file systems.
    """
    fields = "{n} and {n:05}" if of_project else "{n}, {n:05} and {project_id}"
    for part in _PART.finditer(text):
        misplaced = part["name"] == "project_id" and (of_project or part["width"])
        if part["other"] or misplaced or int(part["width"] or 1) == 0:
            raise ValueError(f"may hold {fields}, and no other braces")
    if refused := _REFUSED.search(text):
        raise ValueError(f"must not hold {refused[0]!r}")
    check_visible(text)
    if not text or text != text.strip() or text in (".", ".."):
        raise ValueError('must not be empty, "." or "..", and must not begin or end with a space')
    pattern = _PART.sub(_printf, text.replace("%", "%%"))
    return lambda n, project_id: pattern % {"n": n, "project_id": project_id}


def check_visible(text: str) -> None:
    """Raise ValueError for a character that is invisible, or that reverses the text.

    Two ids could look the same, and a page or a terminal could show another id.
    """
    for char in text:
        if char != " " and (unicodedata.category(char) in _INVISIBLE or _BLANK.match(char)):
            raise ValueError(
                f"must not hold U+{ord(char):04X}: it is not visible, or changes the direction of "
                "the text"
            )


def too_long(name: str) -> bool:
    # Most names are short enough without encoding them.
    return len(name) > MAX_BYTES // 4 and len(name.encode()) > MAX_BYTES


def _printf(part: re.Match[str]) -> str:
    if part["name"] == "project_id":
        return "%(project_id)s"
    return f"%(n)0{part['width']}d" if part["width"] else "%(n)d"
