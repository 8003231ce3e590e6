import pytest

from services.ranker.merging import merge
from services.ranker.reason_texts import cut, reason_text
from services.ranker.reasons import Reasons
from services.ranker.recommendation import Action, Behaviour, PlaceKind, ReasonCode
from tests.ranker.sources import policy, request, viewed

WEIGHTS = {
    "interest": (1.0, "raw", "max", 1.0),
    "co_occurrence": (1.0, "peak", "sum", 0.5),
    "page": (1.0, "raw", "max", 1.0),
    "trending": (0.1, "peak", "max", 1.0),
    "popular": (0.1, "peak", "max", 1.0),
    "new": (0.1, "peak", "max", 1.0),
    "bought_before": (1.0, "peak", "max", 1.0),
}


def reason(*entries, row=0, kind=PlaceKind.SCORE, brought_up=False, **fields):
    given = request(2, *entries, **fields)
    merged = merge(policy(WEIGHTS).sources, given.said, given.behaviours, given.candidates.visitor)
    return Reasons(given, merged, 12).reason(row, kind, brought_up=brought_up)


def behaved(action, product_id="a", weight=1.0):
    return Behaviour(action, product_id, weight)


@pytest.mark.parametrize(
    ("actions", "code", "english", "chinese"),
    [
        ([Action.VIEW], ReasonCode.VIEWED, "Because you viewed “Green tea”", "因为你浏览过《Green tea》"),
        ([Action.VIEW, Action.CART], ReasonCode.IN_CART, None, "因为你把《Green tea》加入了购物车"),
        ([Action.CART, Action.PURCHASE, Action.VIEW], ReasonCode.BOUGHT, "Because you bought “Green tea”", None),
        ([Action.OPINION, Action.VIEW], ReasonCode.LIKED, None, None),
        ([], ReasonCode.SIMILAR, "Similar to “Green tea”", "与《Green tea》相似"),
    ],
)
def test_an_interest_is_told_by_the_strongest_thing_done_with_its_seed(actions, code, english, chinese):
    for language, text in (("en-GB", english), ("zh-Hans-CN", chinese), ("ZH", chinese), ("zha", english)):
        told = reason(
            (0, "INTEREST", 0.5, "a"),
            behaviours=[behaved(action) for action in actions],
            titles={"a": "Green tea"},
            language_code=language,
        )
        assert (told.code, told.product_id) == (code, "a")
        assert text is None or told.text == text


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("CO_OCCURRENCE", ReasonCode.TOGETHER),
        ("PAGE", ReasonCode.SIMILAR),
        ("TRENDING", ReasonCode.TRENDING),
        ("POPULAR", ReasonCode.POPULAR),
        ("NEW", ReasonCode.NEW),
        ("BOUGHT_BEFORE", ReasonCode.BUY_AGAIN),
    ],
)
def test_each_source_has_its_reason(source, code):
    assert reason((0, source, 0.5, "a")).code is code


def test_the_source_and_the_seed_that_moved_the_product_most_are_named():
    entries = [
        (0, "POPULAR", 900.0, ""),
        (0, "CO_OCCURRENCE", 3.0, "old"),
        (0, "CO_OCCURRENCE", 2.0, "new"),
        (0, "PAGE", 0.2, "page"),
    ]
    # The old seed is decayed to 1.5.
    told = reason(*entries, behaviours=viewed("new", "old"), titles={"new": "Tea", "old": "Pot"})
    assert (told.code, told.product_id, told.text) == (ReasonCode.TOGETHER, "new", "Often chosen together with “Tea”")


def test_a_text_is_never_quoted():
    searched = [behaved(Action.SEARCH, product_id="")]
    told = reason((0, "INTEREST", 0.5, ""), behaviours=searched, titles={"": "what was typed"})
    assert (told.code, told.text) == (ReasonCode.SEARCHED, "Related to what you searched for")
    commented = [behaved(Action.OPINION, product_id="")]
    assert reason((0, "INTEREST", 0.5, ""), behaviours=commented).code is ReasonCode.LIKED


def test_nothing_is_made_up_where_no_source_speaks():
    told = reason((0, "POPULAR", 1.0, ""), row=1)
    assert (told.code, told.product_id, told.text) == (ReasonCode.NONE, "", "Recommended for you")


def test_a_place_by_chance_and_a_reserved_one_say_so():
    entry = (0, "PAGE", 0.5, "a")
    assert reason(entry, kind=PlaceKind.EXPLORED, brought_up=True).code is ReasonCode.EXPLORED
    assert reason(entry, kind=PlaceKind.EXPLORED).code is ReasonCode.SIMILAR
    assert reason(entry, kind=PlaceKind.RESERVED).code is ReasonCode.NEW


def test_a_title_that_is_not_known_is_left_out():
    assert reason((0, "PAGE", 0.5, "a"), language_code="zh").text == "相似商品"


def test_long_titles_are_cut_and_stay_on_one_line():
    assert cut("A very long\n title", 12) == "A very long…"
    assert cut("short", 12) == "short"
    assert cut("茶" * 40, 12) == "茶" * 11 + "…"
    braces = reason_text(ReasonCode.VIEWED, "{title} {0}", "en", 12)
    assert braces == "Because you viewed “{title} {0}”"


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_has_a_text_in_both_languages(code, language):
    for title in ("", "Tea"):
        text = reason_text(code, title, language, 40)
        assert text
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text) == (language == "zh")
