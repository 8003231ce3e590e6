from services.retrieval.analysis import Bm25, word_number
from services.retrieval.attributes import AttributeDeclaration, AttributeType
from services.retrieval.categories import leaf, normalise, with_ancestors
from services.retrieval.documents import DocumentRules, document_of
from services.retrieval.product import AttributeValue, Offer, Product

RULES = DocumentRules(Bm25(0.3, 0.75, 20.0), 10, 5, 0.2)
MILK = Product(
    id="1",
    title="Whole <b>milk</b>",
    brand="Acme",
    categories=("Grocery > Dairy > Milk", "Offers"),
    description="From <i>happy cows</i>",
)


def test_the_encoder_is_given_title_brand_category_leaves_and_the_beginning_of_the_description():
    assert document_of(MILK, RULES).text == "Whole milk. Acme. Milk. Offers. From happy"


def test_words_are_those_of_title_brand_all_category_levels_and_the_beginning_of_the_description():
    found = document_of(MILK, RULES).words[0]
    expected = {"whole", "milk", "acme", "grocery", "dairy", "offers", "from"}
    assert set(found) == {word_number(word) for word in expected}


def test_a_change_of_price_leaves_the_text_as_it_is():
    dearer = Product(**{name: getattr(MILK, name) for name in MILK.__slots__ if name != "offers"}, offers=(Offer("x"),))
    assert document_of(dearer, RULES).text_digest == document_of(MILK, RULES).text_digest


def test_a_path_stands_for_itself_and_for_all_above_it():
    assert with_ancestors(["A > B>C", "A > D"]) == ["A", "A > B", "A > B > C", "A > D"]
    assert normalise(" A>B ") == "A > B"
    assert leaf("A > B") == "B"


def test_searchable_attributes_are_read_by_the_encoder_and_found_by_words():
    declared = {
        "material": AttributeDeclaration("material", AttributeType.TEXT, searchable=True),
        "colour": AttributeDeclaration("colour", AttributeType.TEXT, filterable=True),
    }
    values = {"material": AttributeValue(texts=("stainless steel",)), "colour": AttributeValue(texts=("red",))}
    jug = Product(id="1", title="Jug", categories=("Kitchen > Jugs",), description="Holds water", attributes=values)
    document = document_of(jug, RULES, declared)
    assert document.text == "Jug. Jugs. stainless steel. Holds wate"
    weights = dict(zip(*document.words, strict=True))
    assert {word_number("stainless"), word_number("steel")} <= weights.keys()
    assert word_number("red") not in weights
    assert weights[word_number("steel")] == weights[word_number("jug")] > weights[word_number("holds")]


def test_without_the_versions_analyser_a_document_has_a_text_and_no_words():
    document = document_of(MILK, RULES, with_words=False)
    assert document.words == ((), ())
    assert document.text_digest == document_of(MILK, RULES).text_digest
