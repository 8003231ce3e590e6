import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.encoder.texts import TextLimits, clean

LIMITS = TextLimits(max_texts=3, max_characters=10, max_total_characters=20)


@pytest.mark.parametrize("text", ["", "   ", "\t\r\n", "\x00\x01\x7f", "\u3000\xa0", "\u200b\ufeff", "\x85 \u200d"])
def test_a_text_without_a_visible_character_is_empty(text):
    assert clean(text) == ""


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("running\x00 shoes", "running shoes"),
        ("  tea\n", "tea"),
        ("a\tb\nc", "a\tb\nc"),
        ("咖啡机", "咖啡机"),
        ("👩‍🚀 mug", "👩‍🚀 mug"),
        ("\x1b[1mbold", "[1mbold"),
    ],
)
def test_control_characters_go_and_the_rest_stays(text, cleaned):
    assert clean(text) == cleaned


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text):
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        ([], {"texts": "REQUIRED"}),
        (["a"] * 4, {"texts": "TOO_MANY"}),
        (["a", "b" * 11], {"texts[1]": "TOO_LONG"}),
        (["a" * 10, "b" * 10, "c"], {"texts": "TOO_LONG"}),
    ],
)
def test_what_is_beyond_a_limit_is_refused_with_field_and_limit(texts, fields):
    with pytest.raises(InvalidArgument) as refused:
        LIMITS.check(texts)
    assert {v.field: v.reason for v in refused.value.violations} == fields
    assert not any("bbb" in v.description for v in refused.value.violations)


def test_texts_at_the_limits_are_taken():
    LIMITS.check(["a" * 10, "b" * 9, "c"])


def test_a_hundred_long_texts_are_not_all_listed():
    with pytest.raises(InvalidArgument) as refused:
        TextLimits(max_texts=1000, max_characters=1, max_total_characters=10**6).check(["long"] * 100)
    assert len(refused.value.violations) == 10
