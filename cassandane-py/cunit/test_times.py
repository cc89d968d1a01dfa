"""Dates as text; the values of odd ones were computed by the original, in the zone of New York."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from libcyrus.base import times

# text, the moment, midnight of the day in New York
RFC5322 = [
    (b"Sun, 22 Nov 2026 19:15:34 +0000", 1795374934, 1795323600),
    (b"22 Nov 2026 19:15:34 +0530", 1795355134, 1795323600),
    (b"Mon, 22 Nov 2026 19:15 -0800", 1795403700, 1795323600),
    (b" \r\n\tSun,22 Nov 2026 19:15:34 GMT", 1795374934, 1795323600),
    (b"22-Nov-2026 19:15:34 +0100", 1795371334, 1795323600),
    (b" 2-Feb-2000 00:00:00 -0330", 949462200, 949467600),
    (b"1 jan 70 00:00:00 Z", 0, 18000),
    (b"1 JAN 69 0:0:0", 3124224000, 3124242000),
    (b"31 Dec 99 23:59:60 EST", 946702800, 946616400),
    (b"1 Jul 2001 9.05.07 PDT", 994003507, 993960000),
    (b"1 Jul 2001 9:5", 993978300, 993960000),
    (b"1 Jul 2001 9:5:7 0200", 993985507, 993960000),
    (b"1 Jul 2001 9:5:7 +02:00", 993978307, 993960000),
    (b"1 Jul 2001 9:5:7 A", 993974707, 993960000),
    (b"1 Jul 2001 9:5:7 a", 993859507, 993960000),
    (b"1 Jul 2001 9:5:7 J", 993978307, 993960000),
    (b"1 Jul 2001 9:5:7 M", 993935107, 993960000),
    (b"1 Jul 2001 9:5:7 n", 994097107, 993960000),
    (b"1 Jul 2001 9:5:7 N", 993981907, 993960000),
    (b"1 Jul 2001 9:5:7 7", 994010707, 993960000),
    (b"1 Jul 2001 9:5:7 UT", 993978307, 993960000),
    (b"1 Jul 2001 9:5:7 CEST", 993978307, 993960000),
    (b"1 Jul 2001 9:5:7 (CET)", 993978307, 993960000),
    (b"1 Jul 2001 9:5:7 +0200 (CEST)", 993971107, 993960000),
    (b"31 Feb 2001 10:00:00 +0000", 983613600, 983595600),
    (b"0 Mar 2001 10:00:00 +0000", 983354400, 983336400),
    (b"99 Mar 2001 99:99:99 +0000", 992234439, 991886400),
    (b"29 Feb 2100 1:2:3 Z", 4107546123, 4107560400),
    (b"1 Jan 1899 0:0:0 Z", None, None),
    (b"1 Jan 1900 0:0:0 Z", None, None),
    (b"1 Jan 12345 0:0:0 Z", 327403382400, 327403400400),
    (b"1 Jan 104 0:0:0 Z", None, None),
    (b"1 Jan 1970 00:00:00 +0100", -3600, 18000),
    (b"31 Dec 1969 23:00:00 -0500", None, None),
    (b"Xyz, 1 Jan 2001 1:2:3 Z", 978310923, 978325200),
    (b"Monday, 1 Jan 2001 1:2:3 Z", None, None),
    (b"Mon 1 Jan 2001 1:2:3 Z", None, None),
    (b"1 January 2001 1:2:3 Z", None, None),
    (b"1 Jan 2001", None, 978325200),
    (b"1 Jan 2001 12", None, 978325200),
    (b"1 Jan 2001 12:", None, 978325200),
    (b"1 Jan 2001 12:30:", None, 978325200),
    (b"1Jan 2001 1:2", None, None),
    (b"1/Jan/2001 1:2:3 Z", 978310923, 978325200),
    (b"2001-01-01T00:00:00Z", None, None),
    (b"", None, None),
    (b"nonsense", None, None),
    (b"Jan 1 2001 1:2:3", None, None),
    (b"11 Sep 2001 08:46:00 YST", 1000230360, 1000180800),
    (b"11 Sep 2001 08:46:00 XDT", 1000197960, 1000180800),
    (b"11 Sep 2001 08:46:00 EXT", 1000197960, 1000180800),
    (b"1 Jan 2001 1:2:3 -1", 978364923, 978325200),
    (b"1 Jan 2001 1:2:3 +01000", 978310923, 978325200),
]


@pytest.fixture(params=["America/New_York"], autouse=True)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("text", "moment", "day"), RFC5322)
def test_rfc5322_as_the_original_reads_it(text: bytes, moment: int | None, day: int | None) -> None:
    assert times.from_rfc5322(text) == moment
    assert times.from_rfc5322(text.decode()) == moment
    assert times.day_from_rfc5322(text) == day


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 22 Nov 2026 19:15:34 +0530", (1795355134, 19800)),
        ("22 Nov 2026 19:15:34 -0000", (1795374934, 0)),
        ("22 Nov 2026 19:15:34 EST", (1795392934, -18000)),
        ("31 Feb 2026 19:15:34 +0000", None),
        ("22 Nov 2026 24:15:34 +0000", None),
        ("22 Nov 2026", None),
        ("x", None),
    ],
)
def test_rfc5322_with_its_offset(text: str, expected: tuple[int, int] | None) -> None:
    assert times.offset_from_rfc5322(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T19:15:34Z", (1795374934, 0)),
        ("2026-11-22T19:15:34.123Z", (1795374934, 0)),
        ("2026-11-22T19:15:34+05:30", (1795355134, 19800)),
        ("2026-11-22T19:15:34-05:00", (1795392934, -18000)),
        ("1900-03-01T00:00:00Z", (-2203891200, 0)),
        ("2024-02-29T23:59:60Z", (1709251200, 0)),
        ("2023-02-29T00:00:00Z", None),
        ("2026-13-01T00:00:00Z", None),
        ("2026-11-22T24:00:00Z", None),
        ("2026-11-22T19:15:34", None),
        ("2026-11-22 19:15:34Z", None),
        ("2026-11-22T19:15:34Z ", None),
    ],
)
def test_iso8601(text: str, expected: tuple[int, int] | None) -> None:
    assert times.offset_from_iso8601(text) == expected
    assert times.from_iso8601(text) == (expected[0] if expected else None)


def test_written_forms() -> None:
    assert times.to_rfc5322(1795374934) == "Sun, 22 Nov 2026 14:15:34 -0500"
    assert times.to_rfc5322(994003507) == "Sun, 01 Jul 2001 12:05:07 -0400"
    assert times.to_rfc5322(1795374934, 19800) == "Mon, 23 Nov 2026 00:45:34 +0530"
    assert times.to_rfc3501(994003507) == " 1-Jul-2001 12:05:07 -0400"
    assert times.to_rfc3501(1795374934) == "22-Nov-2026 14:15:34 -0500"
    assert times.to_iso8601(1795374934) == "2026-11-22T19:15:34Z"
    assert times.to_iso8601(1795374934, separators=False) == "20261122T191534Z"
    assert times.to_iso8601_local(1795374934.25) == "2026-11-22T14:15:34.250-05:00"
    assert times.to_iso8601_local(1795374934, digits=0) == "2026-11-22T14:15:34-05:00"


@pytest.mark.parametrize("moment", [172800, 951782400, 1795374934, 4107542399, 253402300799])
def test_what_is_written_is_read_again(moment: int) -> None:
    assert times.from_rfc5322(times.to_rfc5322(moment)) == moment
    assert times.from_rfc5322(times.to_rfc3501(moment)) == moment
    assert times.from_iso8601(times.to_iso8601(moment)) == moment
