"""Conversions; factors from the SI brochure and NIST Handbook 44, appendix C."""

import pytest

from services.retrieval.units import convert, is_unit


@pytest.mark.parametrize(
    ("number", "source", "target", "expected"),
    [
        (3, "m", "cm", 300),
        (7, "mm", "cm", 0.7),
        (1, "inch", "cm", 2.54),
        (27, '"', "in", 27),
        (1, "ft", "inch", 12),
        (1, "lb", "g", 453.59237),
        (1, "oz", "g", 28.349523125),
        (1.5, "kg", "g", 1_500),
        (1, "fl oz", "ml", 29.5735295625),
        (1, "l", "ml", 1_000),
        (2, "m²", "cm²", 20_000),
        (2, "m^2", "m²", 2),
        (20, "°C", "°F", 68),
        (0, "℃", "kelvin", 273.15),
        (16, "GB", "MB", 16_000),
        (2, "kWh", "Wh", 2_000),
        (50, "%", "", 0.5),
        (90, "min", "h", 1.5),
        (3, "pcs", "", 3),
        (5, "", "", 5),
    ],
)
def test_a_number_is_said_in_another_unit(number, source, target, expected):
    assert convert(number, source, target) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CM", "cm"),
        ("ｃｍ", "cm"),
        (" cm ", "cm"),
        ("Meters", "m"),
        ("ML", "ml"),
        ("gb", "GB"),
        ("mAh", "mah"),
        ("Kg", "kg"),
        ("厘米", "cm"),
        ("公斤", "kg"),
        ("毫升", "ml"),
        ("寸", "寸"),
    ],
)
def test_spellings_of_one_unit_are_equal(one, other):
    assert convert(1.25, one, other) == (None if one == "寸" else 1.25)


def test_half_a_kilogram_is_a_jin():
    assert convert(1, "斤", "g") == 500


@pytest.mark.parametrize(("source", "target"), [("kg", "cm"), ("cm", ""), ("", "cm"), ("furlongs", "g"), ("dB", "")])
def test_what_measures_something_else_is_not_converted(source, target):
    assert convert(1, source, target) is None


@pytest.mark.parametrize("number", [1e308, -1e308])
def test_a_number_that_is_too_large_for_the_other_unit_is_not_converted(number):
    assert convert(number, "km", "mm") is None
    assert convert(number, "mm", "km") == pytest.approx(number / 1e6, rel=1e-12)
    assert convert(number, "km", "km") == number


@pytest.mark.parametrize(
    "unit",
    [
        "zoll",
        "m**9**9**9",
        "9**9**9",
        "m*m*m*m*m*m",
        "(cm)",
        "cm;",
        "1/m",
        "m\0",
        "a" * 65,
        "__import__",
        "/",
        "²",
        "m^-9",
    ],
)
def test_what_is_no_unit_is_unknown_whatever_it_is(unit):
    assert not is_unit(unit)
    assert convert(1, unit, unit) is None


def test_a_bound_converts_to_the_very_number_of_an_equal_value():
    """Ranges hold both ends: 7 mm lies in a range up to .7 cm, however the factor is rounded."""
    for tenths in range(1, 2_000):
        assert convert(tenths, "mm", "cm") == tenths / 10
