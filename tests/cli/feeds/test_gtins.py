"""GTINs, by examples of GS1 and of ISBN."""

import pytest

from cli.feeds.gtins import gtin_of, isbn_gtin
from cli.problems import FieldError
from tests.cli.feeds.reading import problems_of, rows_of, written


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("4006381333931", "4006381333931"),
        ("978-0-306-40615-7", "9780306406157"),
        ("'036000291452", "036000291452"),
        ("7351 3537", "73513537"),
        ("00012345600012", "00012345600012"),
    ],
)
def test_digits_without_what_people_put_between_them(text, digits):
    assert gtin_of(text) == digits


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4006381333932", "GTIN_CHECK_DIGIT"),
        ("4.00638E+12", "GTIN_FORMAT"),
        ("36000291452", "GTIN_FORMAT"),
        ("ABC", "GTIN_FORMAT"),
        ("４００６３８１３３３９３１", "GTIN_FORMAT"),
    ],
)
def test_wrong_ones_are_refused_with_what_is_wrong(text, reason):
    with pytest.raises(FieldError) as refused:
        gtin_of(text)
    assert refused.value.reason == reason


def test_a_wrong_gtin_is_dropped_only_if_asked_and_then_told(tmp_path):
    path = written(tmp_path, "p.csv", "id,title,gtin\na,x,4006381333932\n")
    assert problems_of(path) == [(2, "gtin", "GTIN_CHECK_DIGIT")]
    (row,), _ = rows_of(path, drop_bad_gtin=True)
    assert row.values == {"id": "a", "title": "x"}
    assert [warning.reason for warning in row.warnings] == ["GTIN_CHECK_DIGIT"]


@pytest.mark.parametrize(
    ("text", "gtin"),
    [
        ("0306406152", "9780306406157"),
        ("0-306-40615-2", "9780306406157"),
        ("080442957X", "9780804429573"),
        ("9780306406157", "9780306406157"),
        ("0306406153", "0306406153"),
    ],
)
def test_an_isbn_of_ten_digits_becomes_that_of_thirteen(text, gtin):
    assert isbn_gtin(text) == gtin
