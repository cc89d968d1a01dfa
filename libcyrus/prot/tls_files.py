"""Certificates, keys, authorities, revocations and parameters: from their files into an OpenSSL context.

Every file is read here first, because OpenSSL does not always tell why it could not.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from OpenSSL import SSL, crypto

from libcyrus.prot.errors import TlsError

_LARGEST = 16 * 1024 * 1024
_CRL = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
_DH = b"DH PARAMETERS-----"
_KEY = b"PRIVATE KEY-----"
_ENCRYPTED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")

# the second is for a key of another kind
_MISMATCHES = ("key values mismatch", "no certificate assigned", "key type mismatch")

Warn = Callable[[str], None]


def read(path: str) -> bytes:
    """The contents of a file; TlsError with the system's reason."""
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise TlsError(error.strerror or str(error)) from error


def load_pair(context: SSL.Context, certificate: str, key: str, names: tuple[str, str], warn: Warn) -> None:
    """A certificate with its chain, and its key; ``names`` says what configures them. Raises TlsError.

    ``warn`` is told of a certificate that clients will not accept because of its dates.
    """
    what = f"{names[0]}: unable to get certificate from '{certificate}'"
    try:
        _warn_of_dates(read(certificate), f"{names[0]}: the certificate in '{certificate}'", warn)
        context.use_certificate_chain_file(certificate)
    except (SSL.Error, TlsError) as error:
        raise TlsError(f"{what}: {reason(error)}") from error
    what = f"{names[1]}: unable to get private key from '{key}'"
    try:
        data = read(key)
        if any(mark in data for mark in _ENCRYPTED):
            raise TlsError("it is encrypted, and nobody is there to give a passphrase")
        if _KEY not in data:
            raise TlsError("no start line")
        context.use_privatekey_file(key)
        context.check_privatekey()
    except (SSL.Error, TlsError) as error:
        text = f"{what}: {reason(error)}"
        if reason(error) in _MISMATCHES:
            text = f"{names[1]}: private key '{key}' does not match the certificate '{certificate}'"
        raise TlsError(text) from error


def _warn_of_dates(pem: bytes, what: str, warn: Warn) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pem)
            begins, ends = certificate.get_notBefore(), certificate.get_notAfter()
    except crypto.Error:
        return  # what loads it has a better word for that
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%SZ").encode()
    if ends is not None and ends < now:
        warn(f"{what} has expired, at {ends.decode()}")
    elif begins is not None and begins > now:
        warn(f"{what} is not valid before {begins.decode()}")


def load_parameters(context: SSL.Context, dhparam: str | None, others: Iterable[str], warn: Warn) -> None:
    """Diffie-Hellman parameters from their file, else from that of a key or certificate, if one has any."""
    if dhparam is not None:
        try:
            if _DH not in read(dhparam):
                raise TlsError("no start line")
            context.load_tmp_dh(dhparam)
        except (SSL.Error, TlsError) as error:
            warn(f"tls_server_dhparam: cannot load DH parameters from '{dhparam}': {reason(error)}")
        else:
            return
    for path in others:
        try:
            if _DH in read(path):
                context.load_tmp_dh(path)
                return
        except (SSL.Error, TlsError):
            continue


def load_authorities(context: SSL.Context, file: str | None, directory: str | None) -> None:
    """Whom to believe certificates of the other side. Raises TlsError."""
    what = file if file is not None else directory
    try:
        if file is not None:
            read(file)
        if directory is not None and not os.path.isdir(directory):
            what = directory
            raise TlsError("Not a directory" if os.path.exists(directory) else "No such file or directory")
        context.load_verify_locations(file, directory)
    except (SSL.Error, TlsError) as error:
        raise TlsError(f"'{what}': {reason(error)}") from error


def load_revocations(context: SSL.Context, path: str) -> None:
    """Have every certificate of a chain looked up among the revoked ones of its issuer.

    Without a list of its issuer no certificate is accepted from then on, so also if the file is unusable;
    then TlsError says why.
    """
    store = context.get_cert_store()
    if store is None:
        raise TlsError("there is no place for it")
    store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)
    lists = _CRL.findall(read(path))
    if not lists:
        raise TlsError("no start line")
    try:
        for found in lists:
            store.add_crl(_parse_revocations(found))
    except (crypto.Error, ValueError) as error:
        raise TlsError(reason(error)) from error


def _parse_revocations(pem: bytes) -> Any:
    """In the type that this version of pyOpenSSL takes."""
    old = getattr(crypto, "load_crl", None)
    if old is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return old(crypto.FILETYPE_PEM, pem)
    from cryptography.x509 import load_pem_x509_crl

    return load_pem_x509_crl(pem)


def further_certificates(directory: str) -> Iterator[tuple[str, str]]:
    """The certificates of a directory with their keys: NAME.pem with its key in NAME.key or in itself.

    Raises TlsError.
    """
    try:
        found = sorted(os.listdir(directory))
    except OSError as error:
        raise TlsError(f"tls_server_cert_dir: '{directory}': {error.strerror}") from error
    for name in found:
        stem, extension = os.path.splitext(name)
        if extension != ".pem" or name.startswith("."):
            continue
        path, key = os.path.join(directory, name), os.path.join(directory, f"{stem}.key")
        yield path, key if os.path.exists(key) else path


def names_in(path: str) -> list[str]:
    """The host names that a certificate is for, in lower case; its common name if it has no others."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        certificate = x509.load_pem_x509_certificate(read(path))
        try:
            others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = others.value.get_values_for_type(x509.DNSName)
        except x509.ExtensionNotFound:
            common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            names = [str(one.value) for one in common]
    except (TlsError, ValueError) as error:
        raise TlsError(f"tls_server_cert_dir: '{path}': {error}") from error
    return [name.lower() for name in names]


def reason(error: Exception) -> str:
    """OpenSSL's first word on what went wrong, which is nearest to the cause, or the system's."""
    if isinstance(error, SSL.SysCallError) and error.args[0] > 0:
        # pyOpenSSL has the name of the number only
        return os.strerror(error.args[0])
    if error.args and isinstance(error.args[0], list):
        words = [str(one[-1]) for one in error.args[0] if one[-1]]
        return words[0] if words else "protocol error"
    return str(error.args[-1]) if error.args else type(error).__name__
