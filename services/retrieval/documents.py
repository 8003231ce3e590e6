"""What the index reads of a product: a text for the language model, words for the lexical leg."""

from dataclasses import dataclass
from hashlib import sha256

from services.retrieval import categories
from services.retrieval.analysis import NO_WORDS, Bm25, Field, SparseVector, document_vector
from services.retrieval.attributes import NONE_DECLARED, Declarations, searchable_texts
from services.retrieval.product import Product
from services.retrieval.text_cleaning import clean


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """How a product becomes a document."""

    bm25: Bm25
    encoded_description_characters: int
    """Of the cleaned description; the model cuts at its own limit, after reading all that it is given."""
    analysed_description_characters: int
    """Of the cleaned description."""
    description_word_weight: float
    """What a word of the description counts, where one of title, brand or category counts 1."""


@dataclass(frozen=True, slots=True)
class Document:
    """A product as the index sees it."""

    text: str
    """For the encoder: title, brand, last category level and searchable attributes, then the description."""
    text_digest: bytes
    """SHA-256 of `text`: an equal digest means that a kept vector still holds."""
    words: SparseVector


def document_of(
    product: Product, rules: DocumentRules, declarations: Declarations = NONE_DECLARED, *, with_words: bool = True
) -> Document:
    """The document of a product; `with_words` = False where the version's analyser is not that of this process.

    All category levels are searched by words: `Dairy` finds what lies in `Grocery > Dairy > Milk`. The model is given
    the last one alone, which says most and dilutes least.
    """
    title, brand, description = clean(product.title), clean(product.brand), clean(product.description)
    leaves = dict.fromkeys(clean(categories.leaf(path)) for path in product.categories)
    attributes = dict.fromkeys(clean(text) for text in searchable_texts(product, declarations))
    parts = (title, brand, *leaves, *attributes, description[: rules.encoded_description_characters])
    text = ". ".join(part for part in parts if part)
    digest = sha256(text.encode()).digest()
    if not with_words:
        return Document(text, digest, NO_WORDS)
    levels = dict.fromkeys(clean(level) for path in product.categories for level in categories.levels(path))
    fields = [
        Field(title),
        Field(brand),
        *(Field(level) for level in levels),
        *(Field(attribute) for attribute in attributes),
        Field(description[: rules.analysed_description_characters], rules.description_word_weight),
    ]
    return Document(text, digest, document_vector(fields, rules.bm25))
