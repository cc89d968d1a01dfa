"""Our imapd with users of saslpasswd2, by its own mechanisms and by the system's libsasl2."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from cassandane import reference
from cassandane.instance import Instance, give_away

pytestmark = pytest.mark.reference

SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@pytest.fixture(scope="module", params=["builtin", "system"])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    instance = Instance(services=("imap",), tls=True)
    users = instance.directory / "sasldb2"
    for name, password in (("cassandane", "secret"), ("admin", "root")):
        subprocess.run(
            [reference.program("saslpasswd2"), "-p", "-c", "-f", str(users), "-u", "mail.example.org", name],
            input=password, text=True, check=True, env=reference.environment(),
        )  # fmt: skip
    give_away(users)
    del instance.settings["sasl_mech_list"]
    instance.settings |= {
        "sasl_library": request.param,
        "sasl_pwcheck_method": "auxprop",
        "sasl_auxprop_plugin": "sasldb",
        "sasl_sasldb_path": str(users),
        "failedloginpause": "0",
    }
    instance.write_configuration()
    with pytest.MonkeyPatch.context() as environment:
        for name in ("LD_LIBRARY_PATH", "SASL_PATH"):
            environment.setenv(name, reference.environment()[name])
        instance.start()
    yield instance
    instance.stop()
    instance.remove()


def imtest(server: Instance, mechanism: str, password: str, *options: str) -> str:
    command = [
        reference.program("imtest"), "-m", mechanism, "-a", "cassandane", "-u", "cassandane", "-w", password,
        "-p", str(server.ports["imap"]), *options, "127.0.0.1",
    ]  # fmt: skip
    done = subprocess.run(
        command, input="a1 NOOP\r\na2 LOGOUT\r\n", capture_output=True, text=True, timeout=60,
        env=reference.environment(),
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("mechanism", [*SCRAM, "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"])
def test_a_password_logs_in(server: Instance, mechanism: str) -> None:
    said = imtest(server, mechanism, "secret")
    assert "Authenticated." in said
    assert "a1 OK" in said
    assert "Authentication failed." in imtest(server, mechanism, "wrong")


@pytest.mark.parametrize("mechanism", [f"{name}-PLUS" for name in SCRAM])
def test_a_channel_is_bound_to(server: Instance, mechanism: str) -> None:
    assert "Authenticated." in imtest(server, mechanism, "secret", "-t", "")


@pytest.mark.parametrize("most", [0, 1, 56, 128])
def test_a_layer_protects(server: Instance, most: int) -> None:
    said = imtest(server, "DIGEST-MD5", "secret", "-l", str(most))
    assert f"Security strength factor: {most}\n" in said
    assert "a2 OK" in said


def test_the_login_command_and_the_log(server: Instance) -> None:
    with server.imap() as client:
        assert client.command("LOGIN cassandane wrong").status == "NO"
        assert client.command("LOGIN nobody wrong").status == "NO"
        assert client.command("LOGIN cassandane secret").status == "OK"
    lines = [line.partition("badlogin: ")[2] for line in server.log_lines() if "badlogin: " in line]
    assert any("SASL(-13): authentication failure: checkpass failed" in line for line in lines)
    assert any("SASL(-13): user not found: checkpass failed" in line for line in lines)
