"""The files of the page, read, joined and compressed once.

The page is sent with the values of its first picture, and loads one style sheet and one script, so
that the picture waits for only two answers.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from gridsim_plugins.views.web.answers import failed
from gridsim_plugins.views.web.shared import Shared

_FOLDER = Path(__file__).with_name("static")
_PAGE = "index.html"
_SLOT = b'<script id="first" type="application/json">'
"""The place in the page for the values of its first picture."""
_STYLES = ("page.css", "parts.css")
_MAIN = "js/main.js"
_IMPORT = re.compile(rb'^import (\{.*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(rb"^export (?=(?:async )?(?:function|class|const) ([\w$]+))", re.MULTILINE)
# Indentation, and lines that are comments; their ends stay, so that lines keep their numbers. No
# string in the page's scripts extends over several lines.
_COMMENTS = re.compile(rb"^\t+(?://.*)?|^//.*", re.MULTILINE)
_COMPRESSED = ("text/", "application/javascript", "application/json", "image/svg+xml")
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("text/javascript", ".mjs")


class Page:
    """The files of the page, in memory."""

    def __init__(self, first: Callable[[], bytes] = bytes, folder: Path = _FOLDER) -> None:
        """Read and join the files. `first` returns the values of the first picture, as JSON."""
        self._first = first
        self._files = {path: _file(path, (folder / path).read_bytes()) for path in _paths(folder)}
        styles = b"".join(self._files[path].plain for path in _STYLES)
        self._files["bundle/page.css"] = _file("page.css", styles)
        uplot = self._files["vendor/uPlot.iife.min.js"].plain
        self._files["bundle/page.js"] = _file("page.js", uplot + b"\n" + self._modules())

    @property
    def sent(self) -> Mapping[str, Shared]:
        """The files that a browser loads, by path."""
        loaded = (_PAGE, "bundle/page.css", "js/theme.js", "bundle/page.js")
        return {path: self._files[path] for path in loaded}

    def index(self, request: Request) -> Response:
        """Answer with the page itself."""
        # An id of the run may contain any text, even the end tag of the element.
        first = self._first().replace(b"<", b"\\u003c")
        content = self._files[_PAGE].plain.replace(_SLOT, _SLOT + first, 1)
        return Response(content, headers={"cache-control": "no-store"}, media_type="text/html")

    def file(self, request: Request) -> Response:
        """Answer with one file."""
        return self._answer(request, request.path_params["path"])

    def _modules(self) -> bytes:
        """Return one script of all modules, each in its own scope, the imported ones first."""
        done: dict[str, bytes] = {}

        def add(path: str) -> None:
            if path in done:
                return
            plain = self._files[path].plain
            for _, name in _IMPORT.findall(plain):
                add(f"js/{name.decode()}.js")
            exported = b", ".join(_EXPORT.findall(plain))
            plain = _EXPORT.sub(b"", _IMPORT.sub(rb"const \1 = module_\2;", plain))
            name = Path(path).stem.encode()
            done[path] = b"const module_%s = (() => {\n%s\nreturn { %s };\n})();\n" % (
                name,
                plain,
                exported,
            )

        add(_MAIN)
        return b'(() => {\n"use strict";\n%s})();\n' % b"".join(done.values())

    def _answer(self, request: Request, path: str) -> Response:
        file = self._files.get(path)
        if file is None:
            return failed(404, f"there is no file {path!r} on this server")
        return cached(request, file)


def cached(request: Request, made: Shared) -> Response:
    """Answer with bytes that the browser caches, and requests again only if they changed."""
    all_headers = {
        "etag": made.etag,
        "cache-control": "private, no-cache",
        "vary": "accept-encoding",
        **made.headers,
    }
    if made.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=all_headers)
    accepts = "gzip" in request.headers.get("accept-encoding", "")
    if accepts and made.compressed is not None:
        all_headers["content-encoding"] = "gzip"
        return Response(made.compressed, headers=all_headers, media_type=made.type)
    return Response(made.plain, headers=all_headers, media_type=made.type)


def _paths(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _file(path: str, plain: bytes) -> Shared:
    if path.startswith("js/"):
        plain = _COMMENTS.sub(b"", plain)
    type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    compressed = gzip.compress(plain, 9, mtime=0) if type.startswith(_COMPRESSED) else None
    return Shared(type, plain, compressed, f'"{sha256(plain).hexdigest()[:16]}"')
