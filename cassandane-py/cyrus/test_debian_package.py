"""The Debian package is built and serves mail from a private root; so does what ``make install`` makes."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.instance import TOP, Instance, make_directory
from cassandane.messages import message

PYTHON = Path("/usr/bin/python3") if Path("/usr/bin/python3").exists() else Path(sys.executable)
MODULES = Path("usr/lib/python3/dist-packages")


def environment() -> dict[str, str]:
    """The machine's tools, and where it has none, those that were fetched."""
    fetched = reference.directory()
    return {**reference.environment(), "PATH": f"{os.environ['PATH']}:{fetched}/usr/bin:{fetched}/usr/sbin"}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the source package and the package."""
    directory = tmp_path_factory.mktemp("packages")
    done = subprocess.run(
        [TOP / "conf/deb", directory], env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return directory


@pytest.fixture(scope="module")
def unpacked(packages: Path) -> Iterator[Path]:
    """The root of a file system with the package, and what it depends on, in it."""
    root = make_directory()
    (deb,) = packages.glob("cyrus-py_*_all.deb")
    subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    use_python(root / "usr/lib/cyrus/bin")
    modules = root / MODULES
    modules.mkdir(parents=True)
    for directory in (reference.directory() / MODULES, "/" / MODULES):
        for path in directory.iterdir() if directory.is_dir() else ():
            if not (modules / path.name).exists():
                (modules / path.name).symlink_to(path)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """The same, by ``make install``."""
    root = make_directory()
    subprocess.run([TOP / "conf/install", "prefix", root, "/usr/local", PYTHON], check=True)
    yield root
    shutil.rmtree(root)


def use_python(programs: Path) -> None:
    """Let programs run under what the machine has, if that is not Debian's own Python."""
    for path in programs.iterdir():
        text = path.read_text()
        path.write_text(text.replace("#!/usr/bin/python3 ", f"#!{PYTHON} ", 1))


def serve(instance: Instance) -> None:
    """Deliver a message with the program for that, and read it."""
    instance.start()
    try:
        instance.create_user("cassandane")
        instance.run("deliver", "cassandane", stdin=message("from a package"))
        with instance.imap("cassandane") as client:
            client.ok("SELECT INBOX")
            fetched = client.ok("FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]")
            assert "from a package" in fetched.untagged[0]
    finally:
        instance.stop()
    instance.remove()


@pytest.mark.reference
def test_mail_is_served_from_the_unpacked_package(unpacked: Path) -> None:
    instance = Instance(services=("imap", "lmtpunix"))
    instance.ours = unpacked / "usr/lib/cyrus/bin"
    instance.settings["lmtpsocket"] = str(instance.lmtp_socket)
    instance.write_configuration()
    # as Debian's own cyrus.conf has it
    text = instance.cyrus_conf.read_text()
    text = text.replace(f"{instance.ours}/ctl_cyrusdb", f"{unpacked}/usr/sbin/cyrus ctl_cyrusdb")
    assert "/usr/sbin/cyrus ctl_cyrusdb" in text
    instance.cyrus_conf.write_text(text.replace(f"{instance.ours}/", ""))
    serve(instance)


def test_mail_is_served_from_what_make_installs(installed: Path) -> None:
    instance = Instance(services=("imap", "lmtpunix"))
    programs = installed / "usr/local/libexec"
    (programs / "deliver").symlink_to("../sbin/deliver")
    instance.ours = programs
    instance.settings["lmtpsocket"] = str(instance.lmtp_socket)
    instance.write_configuration()
    instance.cyrus_conf.write_text(instance.cyrus_conf.read_text().replace(f"{programs}/", ""))
    serve(instance)


@pytest.mark.reference
def test_a_server_starts_from_the_configuration_of_debians_package(unpacked: Path) -> None:
    """Whoever replaces cyrus-imapd has its files; what we do not have yet is taken out of cyrus.conf."""
    instance = Instance(services=("imap",))
    instance.ours = programs = unpacked / "usr/lib/cyrus/bin"
    etc = reference.directory() / "etc"
    settings = re.findall(r"^(\w[\w-]*): *(.*)$", (etc / "imapd.conf").read_text(), re.M)
    places = {
        "/var/lib/cyrus": "conf", "/var/spool/cyrus": "spool", "/var/spool": "spool",
        "/run/cyrus/socket": "conf/socket", "/run/cyrus": "conf",
    }  # fmt: skip

    def moved(text: str) -> str:
        for old, new in places.items():
            text = re.sub(rf"(?<!\w){old}(?=/|$)", f"{instance.directory}/{new}", text, flags=re.M)
        return text.replace("/usr/sbin/cyrus ", f"{unpacked}/usr/sbin/cyrus ")

    kept = {name: instance.settings[name] for name in ("cyrus_user", "servername")}
    instance.settings = {name: moved(value) for name, value in settings} | kept
    instance.write_configuration()
    words = ("-M", str(etc / "cyrus.conf"), "conf-lint")
    lint = [instance.run("cyr_info", *words, kind=kind).stdout for kind in ("ours", "reference")]
    assert lint[0] == lint[1]
    lines = []
    for line in moved((etc / "cyrus.conf").read_text()).splitlines():
        found = re.search(r'cmd="(?:\S*/sbin/cyrus )?([\w_]+)', line)
        if found and not line.strip().startswith("#"):
            names = {prefix + found[1] for prefix in ("", "cyr_", "ctl_")}
            if not any((programs / name).exists() for name in names):
                continue
            line = re.sub(r'cmd="((?:\S*/sbin/cyrus )?\w+)', rf'cmd="\1 -C {instance.config}', line)
            line = re.sub(r'listen="imap"', f'listen="127.0.0.1:{instance.ports["imap"]}"', line)
        lines.append(line)
    instance.cyrus_conf.write_text("\n".join(lines))
    assert "notifyd" in instance.cyrus_conf.read_text()
    instance.start()
    instance.stop()
    instance.remove()


@pytest.mark.reference
def test_files_are_where_the_originals_packages_have_them(unpacked: Path) -> None:
    theirs = reference.directory()
    programs = {path.name for path in (unpacked / "usr/lib/cyrus/bin").iterdir()}
    assert len(programs) > 40
    wanted = [
        path.relative_to(theirs)
        for place in ("usr/lib/cyrus", "usr/bin", "usr/sbin")
        for path in (theirs / place).rglob("*")
        if path.name in programs | {"cyradm", "cyrmaster", "cyrdeliver"}
    ]
    assert Path("usr/sbin/cyrmaster") in wanted and Path("usr/bin/cyradm") in wanted
    assert [str(path) for path in wanted if not os.access(unpacked / path, os.X_OK)] == []
    # sections of theirs may differ
    pages = {path.name.split(".")[0] for path in (theirs / "usr/share/man").rglob("*.gz")}
    named = {f"cyrus-{name}" for name in programs | {"dump"}}
    pages &= named | {"cyrus", "cyradm", "ctl_conversationsdb", "installsieve", "sieveshell"}
    ours = {path.name.split(".")[0] for path in (unpacked / "usr/share/man").rglob("*.gz")}
    assert len(pages) > 30 and pages <= ours
    for link in unpacked.rglob("*"):
        assert link.exists(), f"{link} leads nowhere"


@pytest.mark.reference
def test_the_package_is_what_dpkg_expects(packages: Path, unpacked: Path) -> None:
    # everything that is needed comes with the source
    assert next(packages.glob("*.dsc")) and next(packages.glob("*.tar.xz"))
    (deb,) = packages.glob("*.deb")
    control = dpkg_deb("--field", deb)
    assert "Architecture: all\n" in control and "Installed-Size: " in control and "Conflicts: " in control
    content = dpkg_deb("--contents", deb)
    assert "__pycache__" not in content
    assert {line.split()[1] for line in content.splitlines()} == {"root/root"}
    area = packages / "control"
    dpkg_deb("--control", deb, area)
    assert (area / "conffiles").read_text() == "/etc/cron.daily/cyrus-py\n/etc/logrotate.d/cyrus-py\n"
    for script in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", area / script], check=True)
    listed = {line.split("  ", 1)[1] for line in (area / "md5sums").read_text().splitlines()}
    assert listed == {line.split(None, 5)[5][2:] for line in content.splitlines() if line.startswith("-")}


def dpkg_deb(*words: str | Path) -> str:
    return subprocess.run(["dpkg-deb", *words], capture_output=True, text=True, check=True).stdout


def test_the_package_depends_on_what_the_programs_need() -> None:
    settings = configparser.ConfigParser()
    settings.read(TOP / "setup.cfg")
    extras = settings["options.extras_require"]
    lines = settings["options"]["install_requires"].split()
    lines += [line for extra in extras if extra != "dev" for line in extras[extra].split()]
    needed = {re.split(r"[\[><=]", line)[0].lower() for line in lines}
    named = {"pyopenssl": "openssl", "python-daemon": "daemon", "python-ldap": "ldap", "pyjwt": "jwt"}
    control = (TOP / "conf/debian/control").read_text()
    packages = {found.removeprefix("python3-") for found in re.findall(r"python3-[\w-]+", control)}
    assert {named.get(name, name) for name in needed - {"pysasl"}} <= packages
    assert "pysasl" in (TOP / "conf/deb").read_text()
