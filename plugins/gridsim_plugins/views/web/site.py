"""The files of the page, read and compressed once."""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from gridsim_plugins.views.web.answers import failed

_FOLDER = Path(__file__).with_name("static")
_PAGE = "index.html"
# Indentation, and lines that are comments; their ends stay, so that lines keep their numbers. No
# text of the page's scripts goes over several lines.
_COMMENTS = re.compile(rb"^\t+(?://.*)?|^//.*", re.MULTILINE)
_COMPRESSED = ("text/", "application/javascript", "application/json", "image/svg+xml")
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("text/javascript", ".mjs")


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of the page."""

    type: str
    plain: bytes
    compressed: bytes | None
    etag: str


class Page:
    """The files of the page, in memory."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._files = {path: _file(folder / path) for path in _paths(folder)}

    def index(self, request: Request) -> Response:
        """Answer with the page itself."""
        return self._answer(request, _PAGE)

    def file(self, request: Request) -> Response:
        """Answer with one file."""
        return self._answer(request, request.path_params["path"])

    def _answer(self, request: Request, path: str) -> Response:
        file = self._files.get(path)
        if file is None:
            return failed(404, f"there is no file {path!r} on this server")
        return cached(request, file.type, file.plain, file.compressed, file.etag)


def cached(
    request: Request,
    type: str,
    plain: bytes,
    compressed: bytes | None,
    etag: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with bytes that the browser keeps, and asks for again only if they changed."""
    all_headers = {
        "etag": etag,
        "cache-control": "private, no-cache",
        "vary": "accept-encoding",
        **(headers or {}),
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=all_headers)
    accepts = "gzip" in request.headers.get("accept-encoding", "")
    if accepts and compressed is not None:
        return Response(
            compressed, headers={**all_headers, "content-encoding": "gzip"}, media_type=type
        )
    return Response(plain, headers=all_headers, media_type=type)


def _paths(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _file(path: Path) -> PageFile:
    plain = path.read_bytes()
    if path.suffix == ".js" and "vendor" not in path.parts:
        plain = _COMMENTS.sub(b"", plain)
    type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    compressed = gzip.compress(plain, 9, mtime=0) if type.startswith(_COMPRESSED) else None
    return PageFile(type, plain, compressed, f'"{sha256(plain).hexdigest()[:16]}"')
