"""Units of measurement: one number said in another unit, whichever way a shop spells them.

A spelling is looked up as shops mean it (`ML` is millilitres, `gb` gigabytes), then as `pint` knows it, then in lower
case. What is none of these is an unknown unit.
"""

import re
import unicodedata
from functools import lru_cache
from math import isclose, isfinite
from typing import Final

import pint

_PRECISION: Final = 12
"""Significant digits of a converted number: 7 mm is .7 cm, not .7000000000000001, which no range up to .7 holds."""
_FACTOR: Final = r"[^\W\d_][^\W\d_]*(?:_[^\W\d_]+)*(?:\^-?[1-4]|\*\*-?[1-4]|[²³])?"
# Names and small powers only. pint computes what it is given, and numbers could make that work without limit.
_ALLOWED: Final = re.compile(rf"{_FACTOR}(?:\s*[*/·]\s*{_FACTOR}){{0,3}}")
_CHARACTERS: Final = 64
_MEANT: Final = {
    **dict.fromkeys(["ml", "毫升"], "milliliter"),
    **dict.fromkeys(["l", "升", "公升"], "liter"),
    **dict.fromkeys(["fl oz", "fl. oz", "fl.oz", "floz"], "fluid_ounce"),
    **dict.fromkeys(["mm", "毫米"], "millimeter"),
    **dict.fromkeys(["cm", "厘米", "公分"], "centimeter"),
    **dict.fromkeys(["m", "米", "公尺"], "meter"),
    **dict.fromkeys(["km", "千米", "公里"], "kilometer"),
    **dict.fromkeys(['"', "”", "″", "''", "in", "英寸", "吋"], "inch"),
    **dict.fromkeys(["'", "’", "′", "ft", "英尺"], "foot"),
    **dict.fromkeys(["mg", "毫克"], "milligram"),
    **dict.fromkeys(["g", "gr", "克"], "gram"),
    **dict.fromkeys(["kg", "kgs", "千克", "公斤"], "kilogram"),
    "斤": "jin",
    "吨": "metric_ton",
    **dict.fromkeys(["kb"], "kilobyte"),
    **dict.fromkeys(["mb"], "megabyte"),
    **dict.fromkeys(["gb"], "gigabyte"),
    **dict.fromkeys(["tb"], "terabyte"),
    "hz": "hertz",
    "khz": "kilohertz",
    "mhz": "megahertz",
    "ghz": "gigahertz",
    **dict.fromkeys(["w", "瓦"], "watt"),
    **dict.fromkeys(["kw", "千瓦"], "kilowatt"),
    "wh": "watt_hour",
    "kwh": "kilowatt_hour",
    **dict.fromkeys(["mah", "毫安时"], "milliampere_hour"),
    **dict.fromkeys(["v", "伏"], "volt"),
    **dict.fromkeys(["°c", "℃", "摄氏度"], "degree_Celsius"),
    **dict.fromkeys(["°f", "℉"], "degree_Fahrenheit"),
    **dict.fromkeys(["s", "sec", "秒"], "second"),
    **dict.fromkeys(["min", "分钟"], "minute"),
    **dict.fromkeys(["h", "hr", "hrs", "小时"], "hour"),
    **dict.fromkeys(["天"], "day"),
    **dict.fromkeys(["pc", "pcs", "piece", "pieces", "件", "个", "片"], "count"),
    **dict.fromkeys(["sq m", "sqm", "平方米"], "meter**2"),
    **dict.fromkeys(["sq ft", "sqft"], "foot**2"),
    "px": "pixel",
    "dpi": "dot / inch",
}
"""By the spelling in compatibility form and lower case."""


def is_unit(unit: str) -> bool:
    """Whether a unit is known; no unit at all (bare numbers) is one."""
    return _name_of(unit) is not None


def convert(number: float, from_unit: str, to_unit: str) -> float | None:
    """A number in another unit; empty = no unit.

    None where a unit is unknown, where they measure different things, and where the number is too large for the other.
    """
    line = _line(from_unit, to_unit)
    if line is None:
        return None
    slope, offset = line
    converted = number if (slope, offset) == (1.0, 0.0) else float(f"{number * slope + offset:.{_PRECISION}g}")
    return converted if isfinite(converted) else None


@lru_cache(maxsize=4_096)
def _line(from_unit: str, to_unit: str) -> tuple[float, float] | None:
    """Slope and offset of the conversion; only temperatures have an offset."""
    source, target = _name_of(from_unit), _name_of(to_unit)
    if source is None or target is None:
        return None
    if source == target:
        return 1.0, 0.0
    try:
        zero, one, hundred = (float(_registry().Quantity(n, source).to(target).magnitude) for n in (0.0, 1.0, 100.0))
    except (pint.PintError, ArithmeticError):
        return None
    slope = (hundred - zero) / 100.0
    # A logarithmic unit is no line.
    return (slope, zero) if isclose(one - zero, slope, rel_tol=1e-9) else None


@lru_cache(maxsize=4_096)
def _name_of(unit: str) -> str | None:
    """The name of a unit in pint; None = unknown."""
    if len(unit) > _CHARACTERS:
        return None
    spelling = " ".join(_composed(unit).split())
    meant = _MEANT.get(spelling.lower())
    for candidate in (meant,) if meant else (spelling, spelling.lower()):
        if candidate in {"", "%"} or meant or _ALLOWED.fullmatch(candidate):
            try:
                return str(_registry().parse_units(candidate))
            except (pint.PintError, ArithmeticError, ValueError, AssertionError, TypeError):
                continue
    return None


def _composed(unit: str) -> str:
    """Full-width letters as plain ones, while powers (`m²`) and degrees (`℃`) stay what they are."""
    return "".join(c if c in "²³℃℉″′" else unicodedata.normalize("NFKC", c) for c in unit)


@lru_cache(maxsize=1)
def _registry() -> "pint.UnitRegistry[float]":
    registry: pint.UnitRegistry[float] = pint.UnitRegistry()
    registry.define("jin = 0.5 * kilogram")
    return registry
