import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.text_cleaning import clean, strip_markup

PIECES = st.sampled_from(
    [
        "<b>",
        "</b>",
        "<",
        ">",
        "&",
        "&amp;",
        "&lt;",
        "&gt;",
        "amp;",
        "lt;",
        "b>",
        "&#38;",
        "&#60;",
        "#",
        "38;",
        "\u200b",
        "\x00",
        "!",
        "!!",
        "＜",
        "＆",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "x",
        "牛奶",
        " ",
        "\n",
        "=",
        "\u0338",
        "e\u0301",
        "<br/>",
        "&nbsp;",
    ]
)
ODD_TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=25).map("".join))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("<p>Whole <b>milk</b></p><p>1 l</p>", "Whole milk 1 l"),
        ("un<b>believ</b>able", "unbelievable"),
        ("a<br>b", "a b"),
        ("kept<script>alert('x')</script><style>p {}</style>", "kept"),
        ("3 < 5 and 7 > 6", "3 < 5 and 7 > 6"),
        ("3 <5 l and <b>bold</b>", "3 <5 l and bold"),
        ("Marks &amp; Spencer", "Marks & Spencer"),
        ("Marks &amp;amp; Spencer", "Marks & Spencer"),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("&amp;lt;b&amp;gt;bold", "bold"),
        ("R&D, AT&T", "R&D, AT&T"),
        ("caf&eacute; &#8364;5", "café €5"),
        ("zero\u200bwidth\ufeff, soft\xadhyphen", "zerowidth, softhyphen"),
        ("a\x00b\x07c\td\r\ne", "abc d e"),
        ("  many \u3000 spaces\xa0here ", "many spaces here"),
        ("<!-- note -->text", "text"),
        ("Ｗｉｄｅ！！", "Ｗｉｄｅ！！"),
        ("", ""),
    ],
)
def test_what_is_shown_has_no_markup(raw, shown):
    assert strip_markup(raw) == shown


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("Ｗｉｄｅ １２３", "Wide 123"),
        ("SALE!!!!! now???", "SALE! now?"),
        ("太好了！！！", "太好了!"),
        ("wait... C++ 10--20", "wait. C++ 10--20"),
        ("＜b＞bold", "bold"),
        ("ﬁne ½", "fine 1⁄2"),
    ],
)
def test_what_is_encoded_is_in_compatibility_form_with_punctuation_said_once(raw, cleaned):
    assert clean(raw) == cleaned


@pytest.mark.parametrize("function", [strip_markup, clean])
@given(text=ODD_TEXTS)
def test_cleaning_is_idempotent_and_leaves_no_control_character(function, text):
    once = function(text)
    assert function(once) == once
    assert not any(unicodedata.category(character) == "Cc" for character in once)
    assert "\u200b" not in once


def test_text_escaped_without_end_is_still_cleaned_in_bounded_time():
    nested = "&" + "#38;" * 4_000 + "lt;b" + "&#38;amp;" * 1_000
    assert clean(clean(nested)) == clean(nested)
