"""Certificates for TLS tests, made by the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CA = """\
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/index.txt
serial = {folder}/serial
default_md = sha256
policy = any
copy_extensions = copy
x509_extensions = issued
[any]
commonName = supplied
[issued]
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
"""


@dataclass(frozen=True, slots=True)
class Certificate:
    file: Path
    key: Path


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder: Path, openssl: str) -> None:
        self._folder = folder
        self._openssl = openssl
        folder.mkdir(parents=True)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        (folder / "ca.cnf").write_text(_CA.format(folder=folder))
        self.file = folder / "ca.crt"
        # Python 3.13 refuses an authority that does not say what its key is for.
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        new = self._new("ca", "gridsim test authority")
        self._run("req", "-x509", *new, *usage, "-days", "30")

    def issue(self, name: str, alternative: str, *, expired: bool = False) -> Certificate:
        """A certificate for the names in `alternative`, such as `IP:127.0.0.1,DNS:localhost`."""
        request = self._folder / f"{name}.csr"
        self._run(
            "req", *self._new(name, name, request), "-addext", f"subjectAltName={alternative}"
        )
        made = Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        span = ["-startdate", "20200101000000Z", "-enddate"]
        span = [*span, "20200201000000Z"] if expired else ["-days", "30"]
        self._run(
            *("ca", "-batch", "-notext", "-config", str(self._folder / "ca.cnf")),
            *("-cert", str(self.file), "-keyfile", str(self._folder / "ca.key")),
            *("-in", str(request), "-out", str(made.file), *span),
        )
        return made

    def _new(self, name: str, subject: str, out: Path | None = None) -> list[str]:
        return [
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", f"/CN={subject}", "-keyout", str(self._folder / f"{name}.key")),
            *("-out", str(out or self._folder / f"{name}.crt")),
        ]

    def _run(self, *words: str) -> None:
        done = subprocess.run([self._openssl, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
