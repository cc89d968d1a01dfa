"""A scan of the TLS of our servers and of the original's, by OpenSSL's and GnuTLS's programs: same outcomes.

Every service has options of its own, by its prefix.
"""

from __future__ import annotations

import base64
import re
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from cassandane.certificates import Authority, Certificate, private_bytes, write
from cassandane.clients import ImapClient, LmtpClient
from cassandane.instance import Instance, give_away, make_directory
from cassandane.tls_scan import Handshake, gnutls, openssl, openssl_tool
from libcyrus.backend.connect import connect
from libcyrus.backend.imap import Imap
from libcyrus.backend.peer import Peer
from libcyrus.config import Config
from libcyrus.errors import ServerUnavailable

pytestmark = pytest.mark.reference

KINDS = ("ours", "reference")
LOGINS = {"certified": "OK", "revoked": None, "expired": None, "stranger": None, "self-signed": None}


@dataclass
class Files:
    """What the servers of this module are configured with, and what clients show them."""

    directory: Path
    authority: Authority
    rsa: Certificate
    ec: Certificate
    clients: dict[str, Certificate]

    @classmethod
    def make(cls) -> Files:
        directory = make_directory()
        authority = Authority(directory)
        other = Authority(directory, name="Other Authority")
        clients = {
            "certified": authority.issue("joe"),
            "revoked": authority.issue("ann"),
            "expired": authority.issue("joe", days=(-20, -2), file="expired"),
            "stranger": other.issue("joe", file="stranger"),
        }
        alone = Authority(directory, name="joe")
        key = write(directory / "alone.key", private_bytes(alone.key))
        clients["self-signed"] = Certificate(alone.path, key, alone.certificate, alone.key)
        return cls(
            directory,
            authority,
            authority.issue("localhost", kind="rsa", hosts=["localhost"]),
            authority.issue("localhost", hosts=["localhost"]),
            clients,
        )

    def options(self) -> dict[str, dict[str, str]]:
        """The options by service, those of all under an empty name."""
        authority, rsa, ec = self.authority, self.rsa, self.ec
        middle = Authority(self.directory, name="Middle Authority", parent=authority)
        chained = middle.issue("chained", kind="rsa")
        expired = authority.issue("expired", days=(-20, -2), file="old")
        hashed = self.directory / "authorities"
        hashed.mkdir()
        shutil.copy(authority.path, hashed)
        openssl_tool("rehash", hashed)
        dh = self.directory / "dh.pem"
        openssl_tool("dhparam", "-dsaparam", "-out", dh, "2048")
        give_away(dh)
        locked = write(self.directory / "locked.key", private_bytes(rsa.key, passphrase="secret"))
        garbage = write(self.directory / "garbage.pem", b"neither certificate nor key\n")
        nothing = str(self.directory / "nothing.pem")
        unreadable = write(self.directory / "unreadable.key", private_bytes(rsa.key))
        unreadable.chmod(0)
        outdated = authority.revoke(days=(-9, -2)).rename(self.directory / "outdated.pem")
        revoked = authority.revoke(self.clients["revoked"])

        def pair(certificate: object, key: object) -> dict[str, str]:
            return {"tls_server_cert": str(certificate), "tls_server_key": str(key)}

        trust = {"tls_client_ca_file": str(authority.path)}
        simple = {**pair(rsa.path, rsa.key_path), **trust}
        return {
            "": {
                "sasl_mech_list": "PLAIN EXTERNAL",
                "failedloginpause": "0",
                "tls_crl_file": str(revoked),
            },
            "imap": {**trust, **pair(f"{rsa.path},{ec.path}", f"{rsa.key_path},{ec.key_path}")},
            "imaps": simple,
            "imap2": {
                **simple,
                "tls_versions": "tls1_2",
                "tls_ciphers": "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
                "tls_prefer_server_ciphers": "yes",
                "tls_eccurve": "secp384r1",
            },
            "imap3": {**simple, "tls_client_certs": "require"},
            "imap4": {
                **simple,
                "tls_ciphers": "DEFAULT@SECLEVEL=0",
                "tls_server_dhparam": str(dh),
            },
            "imap5": pair(nothing, nothing),
            "imap6": pair(rsa.path, ec.key_path),
            "imap7": {**simple, "tls_ciphers": "NONSENSE"},
            "imap8": {
                "tls_cert_file": str(chained.path),
                "tls_key_file": str(chained.key_path),
                "tls_cipher_list": "AES256-GCM-SHA384",
                "tls_ca_file": str(authority.path),
            },
            "imap9": {**trust, **expired.server_options()},
            "imap10": {**simple, "tls_client_certs": "off"},
            "imap11": {**simple, "tls_required": "yes"},
            "imap12": {**simple, "tls_crl_file": nothing},
            "imap13": {**simple, "tls_client_ca_file": nothing},
            "imap14": {**simple, "tls_client_ca_file": nothing, "tls_client_certs": "require"},
            "imap15": {**simple, "tls_server_dhparam": nothing, "tls_eccurve": "nonsense"},
            "imap16": {**simple, "tls_versions": "tls1_3"},
            "imap17": pair(rsa.path, locked),
            "imap18": pair(garbage, rsa.key_path),
            "imap19": pair(rsa.path, unreadable),
            "imap20": pair("disabled", rsa.key_path),
            "lmtpauth": simple,
            "imap22": {**simple, "tls_crl_file": str(outdated)},
            "imap21": {
                **pair(rsa.path, rsa.key_path),
                "tls_client_ca_dir": str(hashed),
                "tls_client_certs": "require",
            },
        }


@dataclass
class Servers:
    files: Files
    instances: dict[str, Instance]

    def scan(self, service: str, *arguments: str, client: str | None = None) -> dict[str, Handshake]:
        """What each kind of server makes of a client."""
        words: list[str | Path] = [*arguments]
        if client is not None:
            certificate = self.files.clients[client]
            words += ["-cert", certificate.path, "-key", certificate.key_path]
        starttls = None if service == "imaps" else "imap"
        instances = self.instances.items()
        return {kind: openssl(one.ports[service], *words, starttls=starttls) for kind, one in instances}

    def log_of(self, kind: str, pattern: str) -> list[str]:
        return [line for line in self.instances[kind].log_lines() if re.search(pattern, line)]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    files = Files.make()
    options = files.options()
    services = [name for name in options if name]
    settings = dict(options[""])
    for service in services:
        settings |= {f"{service}_{name}": value for name, value in options[service].items()}
    instances = {}
    try:
        for kind in KINDS:
            programs = dict.fromkeys(services, kind)
            one = Instance(services=services, programs=programs, master=kind, imapd_conf=settings)
            # the instance's own, which would win over an old spelling
            del one.settings["tls_server_cert"], one.settings["tls_server_key"]
            one.write_configuration()
            instances[kind] = one.start()
        yield Servers(files, instances)
    finally:
        for one in instances.values():
            one.stop(check=False)
            one.remove()
        shutil.rmtree(files.directory)


def outcome(handshake: Handshake) -> tuple[object, ...]:
    """What must be the same; in TLS 1.3 a client only learns later that its certificate was not believed."""
    served = any(line.startswith("a OK") for line in handshake.said)
    if not served:
        return (*handshake.alerts,)
    return handshake.protocol, handshake.cipher, handshake.subject, handshake.key


def agreed(handshakes: dict[str, Handshake]) -> tuple[object, ...]:
    assert outcome(handshakes["ours"]) == outcome(handshakes["reference"]), (
        handshakes["ours"].output + "\n----- the original\n" + handshakes["reference"].output
    )
    return outcome(handshakes["ours"])


@pytest.mark.parametrize("service", ["imap", "imaps", "imap2", "imap4", "imap16"])
@pytest.mark.parametrize("version", ["tls1", "tls1_1", "tls1_2", "tls1_3"])
def test_versions(servers: Servers, service: str, version: str) -> None:
    names = {"tls1": "TLSv1", "tls1_1": "TLSv1.1", "tls1_2": "TLSv1.2", "tls1_3": "TLSv1.3"}
    spoken = {
        "imap": ["tls1_2", "tls1_3"],
        "imaps": ["tls1_2", "tls1_3"],
        "imap2": ["tls1_2"],
        "imap4": list(names),
        "imap16": ["tls1_3"],
    }[service]
    found = agreed(servers.scan(service, f"-{version}", "-cipher", "ALL@SECLEVEL=0"))
    assert (found[0] == names[version]) is (version in spoken)


@pytest.mark.parametrize(
    ("service", "ciphers", "expected"),
    [
        ("imap", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("imap", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("imap", "AES128-SHA", "AES128-SHA"),
        ("imap", "DHE-RSA-AES256-GCM-SHA384", None),
        ("imap4", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384"),
        ("imap15", "DHE-RSA-AES256-GCM-SHA384", None),
        ("imap4", "ADH-AES128-SHA:AECDH-AES128-SHA@SECLEVEL=0", None),
        ("imap", "NULL-SHA:eNULL@SECLEVEL=0", None),
        ("imap", "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256"),
        ("imap2", "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("imap2", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        ("imap2", "ECDHE-RSA-CHACHA20-POLY1305", None),
        ("imap8", "AES256-GCM-SHA384", "AES256-GCM-SHA384"),
        ("imap8", "AES128-GCM-SHA256", None),
    ],
)
def test_ciphers(servers: Servers, service: str, ciphers: str, expected: str | None) -> None:
    found = agreed(servers.scan(service, "-tls1_2", "-cipher", ciphers))
    assert (found[1] if len(found) > 1 else None) == expected


def test_ciphers_of_tls_1_3_are_not_in_tls_ciphers(servers: Servers) -> None:
    for name in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
        assert agreed(servers.scan("imap8", "-tls1_3", "-ciphersuites", name))[1] == name


@pytest.mark.parametrize(
    ("service", "curve", "is_spoken"),
    [
        ("imap", "P-256", True),
        ("imap", "P-384", False),
        ("imap", "X25519", False),
        ("imap2", "P-384", True),
        ("imap2", "P-256", False),
        ("imap15", "X25519", True),
        ("imap15", "P-384", True),
    ],
)
def test_curves(servers: Servers, service: str, curve: str, is_spoken: bool) -> None:
    assert (len(agreed(servers.scan(service, "-curves", curve))) > 1) is is_spoken


def test_a_chain_is_shown_whole(servers: Servers) -> None:
    trust = ("-CAfile", str(servers.files.authority.path))
    for kind, shown in servers.scan("imap8", *trust).items():
        assert shown.subject == "chained", kind
        assert "Verify return code: 0 (ok)" in shown.output, kind
        assert re.search(r"^ 1 s:CN = Middle Authority", shown.output, re.MULTILINE), kind


def test_an_expired_certificate_is_shown_all_the_same(servers: Servers) -> None:
    assert agreed(servers.scan("imap9"))[2] == "expired"
    logged = "imap9.* tls_server_cert: the certificate in '.*/old.pem' has expired, at 20"
    assert servers.log_of("ours", logged)


# what cannot be used

@pytest.mark.parametrize(
    ("service", "logged"),
    [
        ("imap5", "tls_server_cert: unable to get certificate from '.*/nothing.pem': No such file"),
        ("imap6", "tls_server_key: private key '.*/localhost-ec.key' does not match the certificate"),
        ("imap7", "tls_ciphers: cannot load cipher list 'NONSENSE': no cipher match"),
        ("imap17", "tls_server_key: unable to get private key from '.*/locked.key': it is encrypted"),
        ("imap18", "tls_server_cert: unable to get certificate from '.*/garbage.pem': no start line"),
        ("imap19", "tls_server_key: unable to get private key from '.*/unreadable.key': Permission denied"),
    ],
)
def test_what_cannot_be_used_is_named_and_refused(servers: Servers, service: str, logged: str) -> None:
    """For a passphrase the original asks its standard input, which is the client."""
    for kind, one in servers.instances.items():
        if (kind, service) == ("reference", "imap17"):
            continue
        with one.imap(service=service) as client:
            assert "STARTTLS" in client.ok("CAPABILITY").untagged[0].split(), kind
            assert client.no("STARTTLS").text == "Error initializing TLS"
            client.ok("NOOP")
    assert servers.log_of("ours", f"{service}.*TLS server engine: {logged}")


def test_a_disabled_certificate_is_none(servers: Servers) -> None:
    for kind, one in servers.instances.items():
        with one.imap(service="imap20") as client:
            assert "STARTTLS" not in client.ok("CAPABILITY").untagged[0].split(), kind
            assert client.bad("STARTTLS").text == "Unrecognized command"


def test_what_can_be_done_without_is_named(servers: Servers) -> None:
    assert agreed(servers.scan("imap15"))
    assert agreed(servers.scan("imap13"))
    for logged in (
        r"imap15.*tls_server_dhparam: cannot load DH parameters from '.*/nothing.pem': No such file",
        r"imap15.*tls_eccurve: there is no curve 'nonsense'",
        r"imap13.*tls_client_ca_file: failed loading client CA data from '.*/nothing.pem': No such file",
    ):
        assert servers.log_of("ours", logged)


def test_no_login_before_tls_where_it_is_required(servers: Servers) -> None:
    for kind, one in servers.instances.items():
        with one.imap(service="imap11") as client:
            names = client.ok("CAPABILITY").untagged[0].split()
            assert "LOGINDISABLED" in names, kind
            assert not [name for name in names if name.startswith("AUTH=")], kind
            for command in ("Login", "Authenticate"):
                assert client.no(f"{command} PLAIN x").text == f"{command} only available under a layer", kind
            client.ok("STARTTLS")
            client.start_tls()
            client.ok("LOGIN joe secret")


# client certificates

@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("client", [*LOGINS, None])
@pytest.mark.parametrize("service", ["imap", "imaps", "imap3", "imap10", "imap13"])
def test_client_certificates(servers: Servers, service: str, client: str | None, version: str) -> None:
    found = agreed(servers.scan(service, version, client=client))
    asked = service not in ("imap10", "imap13")
    if client is None:
        assert (len(found) > 1) is (service != "imap3")
    else:
        assert (len(found) > 1) is (not asked or LOGINS[client] == "OK")


def test_the_authorities_are_named_to_clients(servers: Servers) -> None:
    for shown in servers.scan("imap").values():
        assert "Test Authority" in shown.authorities
    for shown in servers.scan("imap10").values():
        assert not shown.authorities


def test_the_log_says_what_is_wrong_with_a_certificate(servers: Servers) -> None:
    for client, words in {
        "expired": "num=10:certificate has expired",
        "revoked": "num=23:certificate revoked",
        "stranger": "num=20:unable to get local issuer certificate",
        "self-signed": "num=18:self-signed certificate",
    }.items():
        servers.scan("imaps", client=client)
        logged = f"imaps.*imaps TLS negotiation failed: .*certificate verify failed: {words}"
        assert servers.log_of("ours", logged)


def test_without_revocations_no_client_certificate_is_believed(servers: Servers) -> None:
    """The original believes them all then, also those that the lost list revokes."""
    shown = servers.scan("imap12", "-tls1_2", client="revoked")
    assert len(outcome(shown["reference"])) > 1
    assert len(outcome(shown["ours"])) == 1
    assert agreed(servers.scan("imap12"))
    assert servers.log_of("ours", r"imap12.*tls_crl_file: can't load CRL file '.*/nothing.pem': No such file")


def test_a_list_of_revocations_holds_until_its_next_update(servers: Servers) -> None:
    assert len(agreed(servers.scan("imap22", client="certified"))) == 1
    assert servers.log_of("ours", "imap22.*certificate verify failed: num=12:CRL has expired")
    assert len(agreed(servers.scan("imap22"))) > 1


def test_who_must_show_a_certificate_is_not_served_without_an_authority(servers: Servers) -> None:
    """The original then takes everybody."""
    shown = servers.scan("imap14")
    assert len(outcome(shown["reference"])) > 1
    assert not shown["ours"].ok
    assert servers.log_of("ours", r"imap14.*tls_client_ca_file: failed loading client CA data from '.*/noth")


def test_a_directory_of_authorities(servers: Servers) -> None:
    """The original asks nobody for a certificate if there is no file as well, not even who must show one."""
    shown = servers.scan("imap21")
    assert len(outcome(shown["reference"])) > 1
    assert not outcome(shown["ours"])[1:]
    for client, login in LOGINS.items():
        found = outcome(servers.scan("imap21", client=client)["ours"])
        assert (len(found) > 1) is (login == "OK"), client


def tls_of(servers: Servers, client: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if client is not None:
        certificate = servers.files.clients[client]
        context.load_cert_chain(certificate.path, certificate.key_path)
    return context


def certified(servers: Servers, kind: str, service: str = "imap", client: str = "certified") -> ImapClient:
    imap = ImapClient(("127.0.0.1", servers.instances[kind].ports[service]))
    imap.ok("STARTTLS")
    imap.socket = tls_of(servers, client).wrap_socket(imap.socket)
    return imap


@pytest.mark.parametrize("kind", KINDS)
def test_the_common_name_is_the_user_of_external(servers: Servers, kind: str) -> None:
    one = servers.instances[kind]
    one.create_user("joe")
    for initial in ("=", base64.b64encode(b"joe").decode()):
        with certified(servers, kind) as client:
            names = client.ok("CAPABILITY").untagged[0].split()
            assert {"AUTH=EXTERNAL", "AUTH=PLAIN"} <= set(names)
            reply = client.ok(f"AUTHENTICATE EXTERNAL {initial}")
            assert "Success (tls protection)" in reply.text
            assert client.ok("STATUS INBOX (MESSAGES)").untagged == ["STATUS INBOX (MESSAGES 0)"]
    with certified(servers, kind) as client:
        client.send(b"e AUTHENTICATE EXTERNAL\r\n")
        assert client.line() == b"+ "
        client.send(b"\r\n")
        assert client.finish(b"e").status == "OK"
    with certified(servers, kind) as client:
        ann = base64.b64encode(b"ann").decode()
        assert client.no(f"AUTHENTICATE EXTERNAL {ann}").text == "authentication failure"
    with certified(servers, kind) as client:
        client.ok("LOGIN ann secret")
    with one.imap(service="imap10") as client:
        assert client.no("AUTHENTICATE EXTERNAL =").text == "no mechanism available"
    if kind == "ours":
        agreed = r"starttls: TLSv1.3 with cipher \S+ \(256/256 bits new\) authenticated as joe"
        assert servers.log_of(kind, agreed)
        assert servers.log_of(kind, r"login: localhost \[127.0.0.1\] joe EXTERNAL\+TLS User logged in")


def delivery(servers: Servers, kind: str, client: str | None) -> list[str]:
    """What an LMTP server says to a client on its way through TLS."""
    lmtp = LmtpClient(("127.0.0.1", servers.instances[kind].ports["lmtpauth"]))
    said = [lmtp.lhlo, lmtp.command("MAIL FROM:<>"), lmtp.command("STARTTLS")]
    lmtp.socket = tls_of(servers, client).wrap_socket(lmtp.socket)
    for line in ("LHLO again", "STARTTLS", "AUTH EXTERNAL =", "MAIL FROM:<>", "RCPT TO:<joe>", "STARTTLS"):
        said.append(lmtp.command(line))
    lmtp.close()
    return [re.sub("SESSIONID=<.*?>", "SESSIONID", text) for text in said]


@pytest.mark.parametrize("client", ["certified", None])
def test_delivery_in_tls(servers: Servers, client: str | None) -> None:
    said = {kind: delivery(servers, kind, client) for kind in KINDS}
    assert said["ours"] == said["reference"]
    assert "250-AUTH PLAIN EXTERNAL" in said["ours"][3] or client is None
    assert said["ours"][6].startswith("250 " if client else "430 ")


# our side as a client

def dial(servers: Servers, kind: str, service: str, options: dict[str, str]) -> Peer:
    """A connection of ours to one of the servers, as a backend."""
    of_host = {name: value for name, value in options.items() if name.startswith("127_")}
    rest = {name: value for name, value in options.items() if name not in of_host}
    config = Config.for_tests(
        ident="test", extra=of_host, configdirectory="/nonexistent", force_sasl_client_mech="EXTERNAL", **rest
    )
    return connect(config, f"127.0.0.1:{servers.instances[kind].ports[service]}", Imap())


@pytest.mark.parametrize("kind", KINDS)
def test_our_certificate_is_shown_to_backends(servers: Servers, kind: str) -> None:
    """The server asks for one, and takes its name for the user."""
    client = servers.files.clients["certified"]
    cert, key = str(client.path), str(client.key_path)
    for peer in (
        dial(servers, kind, "imap3", {"tls_client_cert": cert, "tls_client_key": key}),
        dial(servers, kind, "imap3", {"127_client_cert": cert, "127_client_key": key}),
    ):
        with closing(peer):
            assert peer.tls is not None
            assert peer.tls.protocol == "TLSv1.3"
            peer.logout()
    with pytest.raises(ServerUnavailable):
        dial(servers, kind, "imap3", {})


@pytest.mark.parametrize("kind", KINDS)
def test_backends_are_believed_whoever_certifies_them(
    servers: Servers, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As by the original; authorities that cannot be loaded are only named in the log."""
    client, other = servers.files.clients["certified"], servers.files.clients["expired"]
    shown = {"tls_client_cert": str(client.path), "tls_client_key": str(client.key_path)}
    more: dict[str, str]
    for more in (
        {},
        {"tls_server_ca_file": str(servers.files.clients["self-signed"].path)},
        {"tls_server_ca_dir": str(servers.files.directory)},
        {"tls_server_ca_file": "/nonexistent"},
    ):
        with closing(dial(servers, kind, "imap9", shown | more)) as peer:
            peer.logout()
    assert "cannot load CA data from '/nonexistent': No such file or directory" in caplog.text
    with pytest.raises(ServerUnavailable):
        dial(servers, kind, "imap9", {**shown, "tls_client_key": str(other.key_path)})
    assert f"client key: private key '{other.key_path}' does not match the certificate" in caplog.text


# what TLS can do and must not

def test_clients_cannot_renegotiate(servers: Servers) -> None:
    for kind, one in servers.instances.items():
        output = gnutls(one.ports["imaps"], "--rehandshake", "--priority=NORMAL:-VERS-ALL:+VERS-TLS1.2")
        assert "Handshake was completed" in output, kind
        assert "a OK" not in output, kind


def test_nothing_is_compressed_and_no_data_comes_early(servers: Servers) -> None:
    for kind, shown in servers.scan("imap", "-tls1_3").items():
        assert "Compression: NONE" in shown.output, kind
        assert "Expansion: NONE" in shown.output, kind
        assert "Early data was not sent" in shown.output, kind
        assert not re.search(r"Max Early Data: [1-9]", shown.output), kind
    for kind, shown in servers.scan("imap", "-tls1_2", "-comp").items():
        assert "Compression: NONE" in shown.output, kind
        assert "Secure Renegotiation IS supported" in shown.output, kind


def test_gnutls_agrees(servers: Servers) -> None:
    def words(starttls: str | None) -> Callable[[int], str]:
        return lambda port: gnutls(port, starttls=starttls)

    for service, run in {"imap": words("imap"), "imaps": words(None)}.items():
        shown = {kind: run(one.ports[service]) for kind, one in servers.instances.items()}
        described = re.compile(r"^- Description: (.*)$", re.MULTILINE)
        found = {kind: described.findall(text) for kind, text in shown.items()}
        assert found["ours"] == found["reference"]
        assert found["ours"][0].startswith("(TLS1.3")
        assert "BYE" in shown["ours"]
