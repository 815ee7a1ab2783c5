"""The error of a text that a setting holds or names."""

from __future__ import annotations


class TextError(ValueError):
    """An error at a character of a text, such as a template, that a setting holds or names.

    A constructor of a plugin raises it instead of ValueError; the report then shows the line of
    the text with a caret.
    """

    def __init__(
        self,
        message: str,
        *,
        setting: tuple[str, ...],
        text: str,
        offset: int,
        file: str = "",
        suggestion: str | None = None,
    ) -> None:
        """Create the error. `setting` is the path of the setting in the plugin's table, `text`
        the whole text, `offset` the place in it; `file` is the file that has it, if any."""
        super().__init__(message)
        self.message = message
        self.setting = setting
        self.text = text
        self.offset = offset
        self.file = file
        self.suggestion = suggestion
