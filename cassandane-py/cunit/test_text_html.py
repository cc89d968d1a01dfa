"""The text of HTML."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcyrus.text.html import strip


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("plain", "plain"),
        ("a<b>b</b>c<p>d</p>e<br/>f<h1>g</h1>", "abc d e f g "),
        ("x<!-- c > -- d -->y<!-->z<!--->w<!DOCTYPE html>v", "xyzwv"),
        ("<!---- >--!>a<!-- open", "a"),
        ("<script>if (a<b) {}</script>t<style a=b>p {}</STYLE >u", "btu"),
        ("<script src='x'/>a</script>b<script>open", "ab"),
        ("&lt;&amp;&#65;&#x42;&#128;&copy &frac12;", "<&AB€© ½"),
        ("&bogus;&#0;&#xD800;&#1;& &#; &", "\ufffd\ufffd\ufffd& &#; &"),
        ("a < b <3 </> c", "a < b <3  c"),
        ('<a href="x">l</a> <em\nclass=y>m</em>', "l m"),
        ("open <b tag", "open "),
    ],
)
def test_strip(document: str, text: str) -> None:
    assert strip(document) == text


@settings(deadline=None)
@given(st.lists(st.sampled_from(["<", ">", "/", "!", "-", "&", "#", ";", "x", "script", "b", " ", "'"])))
def test_any_document_has_a_text(pieces: list[str]) -> None:
    strip("".join(pieces))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["<", "<a ", "<!--", "<script><", "&#", "<script></x ", "<a/", "</", "<!"])
def test_hostile_documents_take_reasonable_time(piece: str) -> None:
    strip(piece * 100_000)
    strip("<script>" + piece * 100_000)
