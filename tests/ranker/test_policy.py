import copy
import json

import pytest
from pydantic import ValidationError

from services.common.errors import InvalidArgument, NotFound
from services.ranker.adapters.policy_files import SHIPPED
from services.ranker.policy_book import PolicyBook
from services.ranker.recommend_policy import RecommendPolicy
from services.ranker.search_policy import SearchPolicy

DOCUMENT = json.loads((SHIPPED / "default.json").read_text())


def changed(path, value):
    document = copy.deepcopy(DOCUMENT)
    section = document
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return document


def test_the_version_is_twelve_hex_digits_and_does_not_depend_on_layout():
    version = SearchPolicy.model_validate(DOCUMENT).version
    backwards = dict(reversed(DOCUMENT.items()))
    assert SearchPolicy.model_validate_json(json.dumps(backwards, indent=7)).version == version
    assert len(version) == 12
    assert int(version, 16) >= 0


def test_any_change_of_content_changes_the_version():
    version = SearchPolicy.model_validate(DOCUMENT).version
    changes = [(("relevance", "reach"), 3.5), (("business", "sales", "gain"), 1.0000001), (("name",), "other")]
    assert version not in {SearchPolicy.model_validate(changed(path, value)).version for path, value in changes}


def test_a_policy_cannot_be_changed():
    with pytest.raises(ValidationError):
        SearchPolicy.model_validate(DOCUMENT).relevance.reach = 4.0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("business", "sales", "exponent"), 0.26),
        (("business", "availability", "out_of_stock"), 0.0),
        (("relevance", "lexical", "weight"), -0.1),
        (("relevance", "lexical", "weight"), float("nan")),
        (("relevance", "similarity", "power"), float("inf")),
        (("relevance", "similarity", "calibration"), "off"),
        (("relevance", "similarity", "metric"), "dot_product"),
        (("relevance", "visitor", "weight"), -0.1),
        (("scorer",), "oracle"),
        (("kind",), "recommend"),
        (("name",), "No Such Name"),
        (("surprise",), 1),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_policy_that_cannot_be_meant_is_refused(path, value):
    with pytest.raises(ValidationError):
        SearchPolicy.model_validate(changed(path, value))


def test_two_legs_without_weight_are_refused():
    document = changed(("relevance", "lexical", "weight"), 0.0)
    document["relevance"]["similarity"]["weight"] = 0.0
    with pytest.raises(ValidationError, match="weight above 0"):
        SearchPolicy.model_validate(document)


def test_an_empty_name_means_default_and_an_unknown_one_is_not_found():
    policy = SearchPolicy.model_validate(DOCUMENT)
    book = PolicyBook({"default": policy})
    assert book.search("") == book.search("default") == (policy, policy.version)
    with pytest.raises(NotFound) as refused:
        book.search("secret-experiment")
    assert refused.value.reason == "POLICY_NOT_FOUND"
    assert "secret-experiment" not in refused.value.message


RECOMMEND = json.loads((SHIPPED / "recommend.json").read_text())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("sources", "co_occurrence", "weight"), -1.0),
        (("sources", "popular", "normalisation"), "raw"),
        (("sources", "popular", "normalisation"), "rank"),
        (("sources", "popular", "seed_decay"), 0.0),
        (("business_exponent",), 1.5),
        (("diversity", "floor"), 0.0),
        (("diversity", "category"), 1.01),
        (("newcomers", "power"), 0.5),
        (("reserved", "every"), 0),
        (("novelty", "fewer_actions_than"), 0),
        (("exploration", "probability"), 1.01),
        (("exploration", "window"), 25),
        (("reasons", "title_length"), 3),
        (("kind",), "search"),
        (("surprise",), 1),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_policy_of_recommendations_that_cannot_be_meant_is_refused(path, value):
    document = copy.deepcopy(RECOMMEND)
    section = document
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    with pytest.raises(ValidationError):
        RecommendPolicy.model_validate(document)


def test_sources_without_any_weight_are_refused():
    document = copy.deepcopy(RECOMMEND)
    for source in document["sources"].values():
        source["weight"] = 0.0
    with pytest.raises(ValidationError, match="weight above 0"):
        RecommendPolicy.model_validate(document)


def test_exploiting_differs_from_recommending_only_in_what_it_says():
    exploit = json.loads((SHIPPED / "recommend-exploit.json").read_text())
    changed_sections = {"name", "newcomers", "reserved", "exploration"}
    assert {name for name in RECOMMEND if RECOMMEND[name] != exploit[name]} == changed_sections
    assert exploit["reserved"]["most"] == exploit["newcomers"]["weight"] == exploit["exploration"]["probability"] == 0


def test_a_policy_of_the_other_kind_is_refused_for_what_it_is():
    book = PolicyBook(
        {"default": SearchPolicy.model_validate(DOCUMENT), "recommend": RecommendPolicy.model_validate(RECOMMEND)}
    )
    assert book.recommend("") == book.recommend("recommend")
    for refuse, name in ((book.search, "recommend"), (book.recommend, "default")):
        with pytest.raises(InvalidArgument) as refused:
            refuse(name)
        assert [(v.field, v.reason) for v in refused.value.violations] == [("policy", "WRONG_KIND")]
