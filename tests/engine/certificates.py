"""Certificates for tests, made with openssl: of both hosts, of their authority, and of a stranger."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

openssl = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(
    openssl is None and "CI" not in os.environ, reason="the certificates are made with openssl"
)


def make(directory: Path, name: str, signer: Path | None = None) -> None:
    """A key and a certificate for 127.0.0.1, signed by another or by itself."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(directory / "key.pem")]
    subject = ["-subj", f"/CN={name}", "-days", "2", "-out", str(directory / "cert.pem")]
    ca = ["-CA", str(signer / "cert.pem"), "-CAkey", str(signer / "key.pem")] if signer else []
    names = ["-addext", "subjectAltName=IP:127.0.0.1"] if signer else []
    assert openssl
    subprocess.run([openssl, "req", "-x509", *key, *subject, *ca, *names], check=True, capture_output=True)
    shutil.copy((signer or directory) / "cert.pem", directory / "ca.pem")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one for each: ca, source, destination, other-ca, stranger."""
    root = tmp_path_factory.mktemp("tls")
    for name in ("ca", "source", "destination", "other-ca", "stranger"):
        (root / name).mkdir()
    make(root / "ca", "authority")
    make(root / "source", "source", root / "ca")
    make(root / "destination", "destination", root / "ca")
    make(root / "other-ca", "somebody else")
    make(root / "stranger", "stranger", root / "other-ca")
    shutil.copy(root / "ca" / "cert.pem", root / "stranger" / "ca.pem")  # it trusts us; we do not trust it
    return root
