"""A second implementation of what a search means, by brute force over all products: slow, plain, without an index."""

import math
import random
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from services.retrieval.analysis import query_vector
from services.retrieval.attributes import AttributeDeclaration, AttributeType
from services.retrieval.documents import document_of
from services.retrieval.filters import AttributeCondition, NumberRange, PriceRange, ProductFilter
from services.retrieval.product import Money
from tests.retrieval import shops
from tests.retrieval.shelf import DOCUMENTS, MEAN, indexed, text_vector
from zhiyin.common.v1 import product_pb2

WORDS = ("milk", "tea", "salt", "steel", "kettle", "red", "blue", "small", "large", "organic", "cup", "bread")
BRANDS = ("", "Acme", "Best", "Zed")
CATEGORIES = ("Grocery > Dairy > Milk", "Grocery > Dairy", "Grocery>Tea", "Home > Kitchen", "Groceries")
COLOURS = ("red", "blue", "green")
MILLIMETRES = {"cm": 10.0, "mm": 1.0, "": 10.0}
"""Of a unit; the declared one, which bare numbers are in, is the centimetre."""
DECLARED = {
    "colour": AttributeDeclaration("colour", AttributeType.TEXT, filterable=True, facetable=True),
    "width": AttributeDeclaration("width", AttributeType.NUMBER, "cm", filterable=True, facetable=True),
    "vegan": AttributeDeclaration("vegan", AttributeType.BOOLEAN, filterable=True, facetable=True),
}
TOO_CLOSE = 1e-5
"""Two scores that are no further apart may come in either order in single precision."""


class Ambiguous(Exception):
    """Scores at the edge of a window or on a floor are too close to tell which side they are on."""


# --- products and filters by chance ---


def some_products(dice: random.Random, count, primaries=0):
    return [_product(dice, number, primaries) for number in range(count)]


def _product(dice, number, primaries):
    product = product_pb2.Product(id=f"p{number:03}", title=" ".join(dice.choices(WORDS, k=dice.randint(2, 7))))
    product.brand = dice.choice(BRANDS)
    product.categories.extend(dice.sample(CATEGORIES, dice.randint(0, 2)))
    if primaries and dice.random() < 0.7:
        product.primary_product_id = f"primary{dice.randrange(primaries)}"
    if dice.random() < 0.7:
        product.rating.average, product.rating.count = dice.randint(2, 10) / 2, dice.randint(0, 3)
    if dice.random() < 0.7:
        product.sales_count = dice.randint(0, 5)
    if dice.random() < 0.7:
        product.create_time.seconds = dice.randint(1, 5) * 1_000_000
    for region in ("", "eu"):
        if dice.random() < 0.8:
            offer = product.offers.add(region=region, availability=dice.randint(0, 4))
            if dice.random() < 0.9:
                offer.price.CopyFrom(shops.money(dice.randint(1, 12) / 2, dice.choice(("USD", "USD", "EUR"))))
    _add_attributes(dice, product)
    return product


def _add_attributes(dice, product):
    if dice.random() < 0.7:
        product.attributes["colour"].texts.extend(dice.sample(COLOURS, dice.randint(1, 2)))
    if dice.random() < 0.7:
        unit = dice.choice(("cm", "mm", ""))
        product.attributes["width"].unit = unit
        product.attributes["width"].numbers.append(dice.randint(1, 8) * 10 / MILLIMETRES[unit])
    if dice.random() < 0.7:
        product.attributes["vegan"].flag = dice.random() < 0.5


def some_filter(dice: random.Random, depth=2):
    """At least one condition of a few."""
    chosen = dice.sample(range(8 if depth else 6), dice.randint(1, 2))
    fields = {}
    if 0 in chosen:
        fields["brands"] = dice.sample(BRANDS[1:], dice.randint(1, 2))
    if 1 in chosen:
        fields["categories"] = [dice.choice(("Grocery", "Grocery > Dairy", "Home", "Grocery > Tea"))]
    if 2 in chosen:
        lowest = dice.randint(1, 5)
        bounds = (Money("USD", lowest, 0), Money("USD", lowest + dice.randint(0, 3), 500_000_000))
        fields["price"] = PriceRange(*dice.choice((bounds, (bounds[0], None), (None, bounds[1]))))
    if 3 in chosen:
        fields["availabilities"] = dice.sample(range(1, 5), dice.randint(1, 3))
    if 4 in chosen:
        fields["rating"] = NumberRange(dice.randint(2, 8) / 2, None)
    if 5 in chosen:
        fields["attributes"] = [_condition(dice)]
    if 6 in chosen:
        fields["any"] = [some_filter(dice, depth - 1) for _ in range(dice.randint(1, 2))]
    if 7 in chosen:
        fields["none"] = [some_filter(dice, depth - 1)]
    return ProductFilter(**fields)


def _condition(dice):
    match dice.randrange(3):
        case 0:
            return AttributeCondition("colour", texts=dice.sample(COLOURS, dice.randint(1, 2)))
        case 1:
            return AttributeCondition("width", range=NumberRange(dice.randint(10, 60), 70.0, "mm"))
        case _:
            return AttributeCondition("vegan", flag=dice.random() < 0.5)


# --- what passes a filter ---


def passes(product, wanted, region=""):
    offer = next((offer for offer in product.offers if offer.region == region), None)
    paths = [[level.strip() for level in path.split(">")] for path in product.categories]
    subtrees = [[level.strip() for level in path.split(">")] for path in wanted.categories]
    return (
        (not wanted.brands or product.brand in wanted.brands)
        and (not subtrees or any(path[: len(top)] == top for path in paths for top in subtrees))
        and (wanted.price is None or _priced(offer, wanted.price))
        and (not wanted.availabilities or (offer is not None and offer.availability in wanted.availabilities))
        and (wanted.rating is None or (product.rating.count > 0 and _within(product.rating.average, wanted.rating)))
        and all(_has(product, condition) for condition in wanted.attributes)
        and (not wanted.any or any(passes(product, group, region) for group in wanted.any))
        and not any(passes(product, group, region) for group in wanted.none)
    )


def _priced(offer, price):
    if offer is None or not offer.HasField("price") or offer.price.currency_code != price.currency:
        return False
    nanos = offer.price.units * 10**9 + offer.price.nanos
    lowest, highest = price.lowest, price.highest
    return (lowest is None or nanos >= lowest.units * 10**9 + lowest.nanos) and (
        highest is None or nanos <= highest.units * 10**9 + highest.nanos
    )


def _within(number, bounds):
    return (bounds.lowest is None or number >= bounds.lowest) and (bounds.highest is None or number <= bounds.highest)


def _has(product, condition):
    if condition.name not in product.attributes:
        return False
    value = product.attributes[condition.name]
    if condition.texts is not None:
        return bool(set(value.texts) & set(condition.texts))
    if condition.flag is not None:
        return value.flag == condition.flag
    millimetres, scale = MILLIMETRES[value.unit], MILLIMETRES[condition.range.unit]
    in_unit = [number * millimetres / scale for number in value.numbers]
    return any(_within(round(number, 9), condition.range) for number in in_unit)


# --- result sets ---


@dataclass
class Expected:
    """A result set: products by leg score, and whether there may be more."""

    members: list
    dense: dict
    lexical: dict
    truncated: bool


class Catalogue:
    """All products with both legs' scores for one query text; None for a leg's score = the leg does not know it."""

    def __init__(self, products, query, version, words_only=()):
        self.products = {product.id: product for product in products}
        documents = {each.id: document_of(indexed(version, each).product, DOCUMENTS, {}) for each in products}
        direction = text_vector(query) - MEAN
        self.dense = {
            name: _cosine(direction, text_vector(document.text) - MEAN)
            for name, document in documents.items()
            if name not in words_only
        }
        found_in = Counter(word for document in documents.values() for word in document.words[0])
        total, asked = len(products), set(query_vector(query)[0])
        self.lexical = {}
        for name, document in documents.items():
            known = [(word, weight) for word, weight in zip(*document.words, strict=True) if word in asked]
            score = sum(
                weight * math.log(1 + (total - found_in[word] + 0.5) / (found_in[word] + 0.5)) for word, weight in known
            )
            if known:
                self.lexical[name] = score

    def result_set(self, wanted, region, rules, *, collapsed=True, excluded=()):
        floors, found, truncated, dense, lexical = {}, {}, False, {}, {}
        hidden = set(excluded)
        for _ in range(rules.rounds):
            passing = [
                name
                for name, each in self.products.items()
                if passes(each, wanted, region) and group(each) not in hidden
            ]
            more = False
            legs = (
                ("dense", self.dense, rules.dense_floor, dense),
                ("lexical", self.lexical, rules.lexical_floor, lexical),
            )
            for leg, scores, share, seen in legs:
                names = sorted((name for name in passing if name in scores), key=lambda name: -scores[name])
                if not names:
                    continue
                best = floors.setdefault(leg, scores[names[0]] - (1 - share) * abs(scores[names[0]]))
                window = names[: rules.window]
                if (
                    len(names) > rules.window
                    and scores[names[rules.window - 1]] - scores[names[rules.window]] < TOO_CLOSE
                ):
                    raise Ambiguous
                if any(abs(scores[name] - best) < TOO_CLOSE for name in window) and share < 1:
                    raise Ambiguous
                seen |= {name: scores[name] for name in window}
                found |= {name: None for name in window if scores[name] >= best}
                more |= len(window) == rules.window and scores[window[-1]] >= best
            truncated |= more
            hidden |= {group(self.products[name]) for name in (*dense, *lexical)}
            if not more or not collapsed or len(hidden - set(excluded)) >= rules.groups:
                break
        return Expected([self.products[name] for name in found], dense, lexical, truncated)

    def by_relevance(self, expected):
        seen = sorted({*expected.dense, *expected.lexical})
        dense = _standardised({name: self.dense[name] for name in seen if name in self.dense})
        lexical = _standardised({name: self.lexical.get(name, 0.0) for name in seen})
        total = {name: 0.5 * dense.get(name, 0.0) + 0.5 * lexical[name] for name in seen}
        return sorted(expected.members, key=lambda each: (-round(total[each.id], 5), each.id))


def _cosine(one, other):
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _standardised(scores):
    if not scores:
        return {}
    mean, deviation = statistics.fmean(scores.values()), statistics.pstdev(scores.values())
    return {name: (score - mean) / deviation if deviation else 0.0 for name, score in scores.items()}


def group(product):
    return product.primary_product_id or product.id


# --- orders ---


def amount(product, region, currency):
    """The price in a currency; None where there is none."""
    for offer in product.offers:
        if offer.region == region and offer.HasField("price") and offer.price.currency_code == currency:
            return offer.price.units + offer.price.nanos / 10**9
    return None


def main_currency(products, region):
    """The currency of most results, by its code where several are."""
    having = defaultdict(set)
    for product in products:
        for offer in product.offers:
            if offer.region == region and offer.HasField("price"):
                having[offer.price.currency_code].add(group(product))
    return min(having, key=lambda code: (-len(having[code]), code), default="")


def sorted_by(products, order, region):
    currency = main_currency(products, region)
    values = {
        "PRICE_ASCENDING": lambda each: amount(each, region, currency),
        "PRICE_DESCENDING": lambda each: _negative(amount(each, region, currency)),
        "NEWEST": lambda each: -each.create_time.seconds if each.HasField("create_time") else None,
        "BEST_SELLING": lambda each: -each.sales_count if each.HasField("sales_count") else None,
        "BEST_RATED": lambda each: (-each.rating.average, -each.rating.count) if each.rating.count else None,
    }
    with_value = [each for each in products if values[order](each) is not None]
    without = [each for each in products if values[order](each) is None]
    by_id = sorted(with_value, key=lambda each: each.id)
    return sorted(by_id, key=values[order]) + sorted(without, key=lambda each: each.id)


def _negative(number):
    return None if number is None else -number


def collapse(products):
    """(id of the one that is shown, further variants) in order."""
    shown = {}
    for product in products:
        shown.setdefault(group(product), []).append(product.id)
    return [(ids[0], len(ids) - 1) for ids in shown.values()]


# --- facets ---


def values_of(product, field, region, currency, parent=()):
    """The values that a product has in a facet."""
    if field.startswith("attributes."):
        return _attribute_values(product.attributes.get(field.removeprefix("attributes.")))
    offer = next((offer for offer in product.offers if offer.region == region), product_pb2.Offer())
    paths = [[level.strip() for level in path.split(">")] for path in product.categories]
    depth = len(parent)
    availability = product_pb2.Availability.Name(offer.availability).removeprefix("AVAILABILITY_")
    return {
        "brand": {product.brand} - {""},
        "category": {
            " > ".join(path[: depth + 1]) for path in paths if path[:depth] == list(parent) and len(path) > depth
        },
        "availability": {availability} - {"UNSPECIFIED"},
        "price": {amount(product, region, currency)} - {None},
        "rating": {product.rating.average} if product.rating.count else set(),
    }[field]


def _attribute_values(value):
    if value is None:
        return set()
    numbers = {round(number * MILLIMETRES[value.unit] / MILLIMETRES["cm"], 9) for number in value.numbers}
    return {*value.texts, *numbers, *([str(value.flag).lower()] if value.HasField("flag") else [])}


def tally(products, field, region, *, collapsed=True, parent=()):
    """For each result of a set its values."""
    currency, results = main_currency(products, region), defaultdict(set)
    for product in products:
        results[group(product) if collapsed else product.id] |= values_of(product, field, region, currency, parent)
    return list(results.values())
