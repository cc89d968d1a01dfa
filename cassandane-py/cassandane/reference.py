"""The original Cyrus 3.6.1 and a few public mail clients, unpacked beside the clone.

They are Debian's packages. ``python -m cassandane.reference`` fetches them with
apt into a private state directory and unpacks them under ``.reference``: nothing
is installed, root is not needed, and the machine is left as it was. Libraries
that the machine already has are used from where they are.

Every list of packages has a tree of its own, named after it, which appears
whole by a rename: tests that run from an older list keep theirs.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = (
    "cyrus-imapd",
    "cyrus-common",
    "cyrus-caldav",
    "cyrus-replication",
    "cyrus-murder",
    "cyrus-nntpd",
    "cyrus-pop3d",
    "cyrus-admin",
    "cyrus-clients",
    "libsasl2-2",
    "libsasl2-modules",
    "libsasl2-modules-db",
    "libsasl2-modules-sql",
    "alpine",
    "curl",
    "fakeroot",
    "fetchmail",
    "getmail6",
    "gnutls-bin",
    "gsasl",
    "imapfilter",
    "isync",
    "krb5-admin-server",
    "krb5-kdc",
    "krb5-user",
    "ldap-utils",
    "libauthen-sasl-perl",
    "libfakeroot",
    "libio-socket-ssl-perl",
    "libmail-imaptalk-perl",
    "libsasl2-modules-gssapi-mit",
    "libsasl2-modules-ldap",
    "mutt",
    "neomutt",
    "offlineimap3",
    "openssl",
    "postfix",
    "python3-ldap",
    "python3-sievelib",
    "sasl2-bin",
    "sieve-connect",
    "slapd",
    "swaks",
    "systemd",
    "libsystemd-shared",
    "mandoc",
    "dpkg-dev",
    "groff-base",
    "python3-click",
    "python3-cryptography",
    "python3-daemon",
    "python3-openssl",
    "python3-psutil",
    "python3-regex",
    "python3-typing-extensions",
    "zsh",
)
APART = ("exim4-daemon-light", "exim4-base", "exim4-config")
"""What the package client would not take together with the others: two mail transport agents."""

_TOP = Path(__file__).resolve().parents[2] / ".reference"
_ROOT = _TOP / ("root-" + hashlib.sha256(" ".join(PACKAGES + APART).encode()).hexdigest()[:12])
_PROGRAM_DIRECTORIES = ("usr/lib/cyrus/bin", "usr/bin", "usr/sbin", "bin")
_MACHINE_PYTHON = Path("/usr/lib/python3/dist-packages")


def ensure() -> None:
    """Fetch and unpack the packages once; later calls find the tree and return."""
    if _ROOT.exists():
        return
    _TOP.mkdir(exist_ok=True)
    with open(_TOP / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _ROOT.exists():
            return
        unfinished = _TOP / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        for deb in _download():
            subprocess.run(["dpkg-deb", "-x", deb, unfinished], check=True)
        unfinished.rename(_ROOT)


def program(name: str) -> str:
    """The path of one of the original's programs, or of a client."""
    ensure()
    for directory in _PROGRAM_DIRECTORIES:
        path = _ROOT / directory / name
        if path.exists():
            return str(path)
    raise FileNotFoundError(f"{name} is in none of the reference packages")


def environment() -> dict[str, str]:
    """The environment in which the unpacked programs find their libraries and plugins."""
    ensure()
    triplet = next((_ROOT / "usr/lib").glob("*-linux-gnu*"), _ROOT / "usr/lib")
    libraries = [triplet, triplet / "systemd", _ROOT / "usr/lib", _ROOT / "lib" / triplet.name]
    perl = [
        _ROOT / "usr/share/perl5", *sorted(triplet.glob("perl5/*")),
        *sorted((_ROOT / "usr/share/perl").glob("5.*")), *sorted(triplet.glob("perl/5.*")),
    ]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": _joined(libraries, "LD_LIBRARY_PATH"),
        "PERL5LIB": _joined(perl, "PERL5LIB"),
        "SASL_PATH": str(triplet / "sasl2"),
    }


def directory() -> Path:
    """Where the packages are unpacked, as under the root of a file system."""
    ensure()
    return _ROOT


def preload(*names: str) -> None:
    """Load libraries of the unpacked packages, which are then found by their names in this process."""
    ensure()
    for name in names:
        for path in _ROOT.glob(f"usr/lib/*/{name}"):
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def python_environment() -> dict[str, str]:
    """The same, for clients in Python: any interpreter finds their modules, which need no compiling."""
    modules = [_ROOT / "usr/lib/python3/dist-packages", _MACHINE_PYTHON]
    return {**environment(), "PYTHONPATH": ":".join(map(str, modules))}


def _joined(paths: list[Path], variable: str) -> str:
    rest = [os.environ[variable]] if os.environ.get(variable) else []
    return ":".join([str(path) for path in paths] + rest)


def _download() -> list[Path]:
    lists, cache = _TOP / "lists", _TOP / "cache"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    (cache / "archives/partial").mkdir(parents=True, exist_ok=True)
    options = [
        "-o", "Debug::NoLocking=1",
        "-o", f"Dir::State::lists={lists}",
        "-o", f"Dir::Cache={cache}",
        "-o", "APT::Sandbox::User=",
        "-o", "APT::Get::Assume-Yes=1",
        "-q",
    ]
    _run(["apt-get", *options, "update"])
    _run(["apt-get", *options, "autoclean"])  # else an older version would be unpacked beside the new
    for packages in (PACKAGES, APART):
        install = ["install", "--reinstall", "--download-only", "--no-install-recommends"]
        _run(["apt-get", *options, *install, *packages])
    return sorted((cache / "archives").glob("*.deb"))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}")


if __name__ == "__main__":
    ensure()
    print(_ROOT, file=sys.stderr)
