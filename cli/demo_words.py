"""Till receipts made readable: the abbreviations of the demonstration's catalogue.

The catalogue names things as a till prints them: capitals, 30 characters, words without vowels. What is not in these
tables is only set in small letters.
"""

import re
from typing import Final

_PHRASES: Final = {
    "DRUG GM": "household & drugstore",
    "MEAT-PCKGD": "packaged meat",
    "SEAFOOD-PCKGD": "packaged seafood",
    "CHEF SHOPPE": "chef's counter",
    "BEERALEMALT LIQUORS": "beer, ale & malt liquor",
    "SAUCESSALSAPICANTEE": "sauces, salsa & picante",
    "CTLRYTBLCLTHSTTHPKSST": "cutlery, tablecloths & toothpicks",
    "FRZN SS": "frozen single serve",
    "SW GDS": "sweet goods",
    "BREAKFAST SWEETS": "breakfast pastries",
}
_WORDS: Final = {
    "BA": "bags",
    "BBQ": "BBQ",
    "BG": "bags",
    "BKD": "baked",
    "BN": "beans",
    "BR": "bread",
    "BRD": "breaded",
    "BRKFST": "breakfast",
    "BTL": "bottle",
    "BTR": "butter",
    "CAR": "carbonated",
    "CARB": "carbonated",
    "CHIX": "chicken",
    "CHICK": "chicken",
    "CHOC": "chocolate",
    "CIG": "cigarettes",
    "CKE": "cake",
    "CLEANG": "cleaning",
    "CND": "canned",
    "CONC": "concentrate",
    "CONTAINR": "containers",
    "CRAN": "cranberry",
    "CRBNTD": "carbonated",
    "CRMD": "creamed",
    "CRYSTL": "crystals",
    "DNR": "dinner",
    "DNRS": "dinners",
    "DRNK": "drink",
    "DRNKS": "drinks",
    "DRNKING": "drinking",
    "DRNKNG": "drinking",
    "DRSNG": "dressing",
    "DSH": "dishes",
    "EXCE": "except",
    "EXCP": "except",
    "FD": "food",
    "FDS": "foods",
    "FLAV": "flavoured",
    "FLVR": "flavoured",
    "FLVRD": "flavoured",
    "FRD": "fried",
    "FRE": "fresh",
    "FRZ": "frozen",
    "FRZN": "frozen",
    "FS": "foodservice",
    "GNG": "ginger",
    "GDS": "goods",
    "GRND": "ground",
    "HANDKE": "handkerchiefs",
    "IQF": "individually frozen",
    "IWS": "individually wrapped slices",
    "JCE": "juice",
    "LTR": "litre",
    "MISC": "other",
    "MISCELLANEOUS": "other",
    "MIXS": "mixes",
    "MLK": "milk",
    "MLT": "multi",
    "MNR": "mineral",
    "MNRL": "mineral",
    "MNERAL": "mineral",
    "MULT": "multi",
    "MW": "microwave",
    "MX": "mix",
    "MXS": "mixes",
    "OJ": "orange juice",
    "OTH": "other",
    "PCKGD": "packaged",
    "PICKLD": "pickled",
    "PK": "pack",
    "PKG": "packaged",
    "PKLD": "pickled",
    "PLSTC": "plastic",
    "PNCH": "punch",
    "PNT": "peanut",
    "PRD": "products",
    "PROTIEN": "protein",
    "PWDR": "powder",
    "PWDRS": "powders",
    "REFIGERATED": "refrigerated",
    "REFRGRATD": "refrigerated",
    "REFRIG": "refrigerated",
    "RTS": "ready to serve",
    "RW": "raw",
    "SAL": "salads",
    "SALD": "salad",
    "SECT": "sections",
    "SFT": "soft",
    "SGL": "single",
    "SHERBTS": "sherbets",
    "SNDWCH": "sandwich",
    "SNGL": "single",
    "SPECILATY": "speciality",
    "SPLY": "supplies",
    "SPRD": "spread",
    "SRV": "serve",
    "SS": "single serve",
    "SUPPPLIES": "supplies",
    "SV": "serve",
    "SW": "sweet",
    "SWEETNERS": "sweeteners",
    "TISS": "tissues",
    "TORT": "tortilla",
    "TRSH": "trash",
    "TV": "TV",
    "VEG": "vegetables",
    "VEND": "vending",
    "WAT": "water",
    "WATE": "water",
    "WHL": "whole",
    "WHLSM": "wholesome",
    "WRA": "wraps",
    "WT": "weight",
    "WTR": "water",
}
_UNITS: Final = {
    "CT": "count",
    "DZ": "dozen",
    "GA": "gal",
    "GAL": "gal",
    "LD": "loads",
    "PK": "pack",
    "PT": "pint",
    "QT": "quart",
}
_WORD: Final = re.compile(r"[A-Z0-9']+")
_CUT_OFF: Final = re.compile(r"\([^)]*$")
_PHRASE: Final = re.compile("|".join(re.escape(phrase) for phrase in _PHRASES))


def readable(name: str) -> str:
    """A name of the catalogue for shoppers: `FRZN NOVELTIES/WTR ICE` is `Frozen novelties / water ice`.

    Names end after 30 characters; a parenthesis that was cut off there is left out.
    """
    spaced = re.sub(r"\s*/\s*", " / ", _CUT_OFF.sub("", name.upper().replace(".", " ")))
    spaced = re.sub(r"\s*&\s*", " & ", spaced).replace(":", ": ")
    phrased = _PHRASE.sub(lambda found: _PHRASES[found.group()], spaced)
    words = _WORD.sub(lambda found: _WORDS.get(found.group(), found.group().lower()), phrased)
    text = " ".join(words.split()).strip(" -/,&:")
    return text[:1].upper() + text[1:]


def readable_size(size: str) -> str:
    """`1 GA` is `1 gal`, `12 PK/12 OZ` is `12 pack / 12 oz`."""
    words = _WORD.sub(lambda found: _UNITS.get(found.group(), found.group().lower()), size.upper())
    return " ".join(re.sub(r"(?<=[a-z])/", " / ", words).split())
