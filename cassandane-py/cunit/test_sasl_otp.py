"""One-time passwords, with the values of RFC 2289 appendix C."""

from __future__ import annotations

import re

import pytest

from libcyrus.sasl import SaslCode, SaslError
from libcyrus.sasl.client import Channel, Login, SaslClient, choose
from libcyrus.sasl.otp import password

CHANNEL = Channel("smtp", "mail.example.org")
PHRASE = "This is a test."
NAMES = ["PLAIN", "OTP", "ANONYMOUS"]


@pytest.mark.parametrize(
    ("algorithm", "number", "phrase", "seed", "expected"),
    [
        ("md5", 0, "This is a test.", "TeSt", "9E876134D90499DD"),
        ("md5", 1, "This is a test.", "TeSt", "7965E05436F5029F"),
        ("md5", 99, "This is a test.", "TeSt", "50FE1962C4965880"),
        ("md5", 0, "AbCdEfGhIjK", "alpha1", "87066DD9644BF206"),
        ("sha1", 0, "This is a test.", "TeSt", "BB9E6AE1979D8FF4"),
        ("sha1", 1, "This is a test.", "TeSt", "63D936639734385B"),
        ("sha1", 99, "This is a test.", "TeSt", "87FEC7768B73CCF9"),
    ],
)
def test_the_values_of_the_standard(
    algorithm: str, number: int, phrase: str, seed: str, expected: str
) -> None:
    assert password(algorithm, number, seed, phrase).upper() == expected


def test_who_answers_challenges_gets_them() -> None:
    login = Login("joe", authzid="ann", one_time=lambda challenge: f"word:{challenge.upper()}")
    assert choose(NAMES, login, CHANNEL) == "OTP"
    client = SaslClient("OTP", login, CHANNEL)
    assert client.start() == b"ann\0joe"
    assert client.step(b"otp-md5 1 x") == b"word:OTP-MD5 1 X"
    client.finish()


def test_without_one_the_pass_phrase_makes_the_answer() -> None:
    login = Login("joe", PHRASE)
    assert choose(NAMES, login, CHANNEL) == "PLAIN"
    assert choose(NAMES, login, CHANNEL, wanted="otp") == "OTP"
    client = SaslClient("OTP", login, CHANNEL)
    assert client.start() == b"joe\0joe"
    expected = "hex:" + password("sha1", 499, "test", PHRASE)
    assert client.step(b"otp-sha1 499 TEST ext,exp") == expected.encode()


def test_a_sequence_that_runs_out_begins_anew() -> None:
    client = SaslClient("OTP", Login("joe", PHRASE), CHANNEL)
    client.start()
    answer = client.step(b"otp-md5 99 TeSt")
    found = re.fullmatch(rb"init-hex:50fe1962c4965880:md5 499 (ma\d{4}):([0-9a-f]{16})", answer)
    assert found is not None
    assert found[2].decode() == password("md5", 499, found[1].decode(), PHRASE)


@pytest.mark.parametrize(
    "challenge",
    [b"", b"otp-md5 0 test", b"otp-md4 5 test", b"otp-md5 10000 test", b"otp-md5 5 " + b"x" * 17,
     b"otp-md5 5", b"otp-md5 5 te-st", b"otp-md5 5 test " + b"x" * 100, b"\xff"],
)  # fmt: skip
def test_what_is_no_challenge_gets_no_answer(challenge: bytes) -> None:
    client = SaslClient("OTP", Login("joe", "x"), CHANNEL)
    client.start()
    with pytest.raises(SaslError) as caught:
        client.step(challenge)
    assert caught.value.code is SaslCode.BADPROT
