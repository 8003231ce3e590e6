import copy
import json

import pytest
from pydantic import ValidationError

from services.common.errors import NotFound
from services.ranker.adapters.policy_files import SHIPPED
from services.ranker.policy import Policy, PolicyBook

DOCUMENT = json.loads((SHIPPED / "default.json").read_text())


def changed(path, value):
    document = copy.deepcopy(DOCUMENT)
    section = document
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return document


def test_the_version_is_twelve_hex_digits_and_does_not_depend_on_layout():
    version = Policy.model_validate(DOCUMENT).version
    backwards = dict(reversed(DOCUMENT.items()))
    assert Policy.model_validate_json(json.dumps(backwards, indent=7)).version == version
    assert len(version) == 12
    assert int(version, 16) >= 0


def test_any_change_of_content_changes_the_version():
    version = Policy.model_validate(DOCUMENT).version
    changes = [(("relevance", "reach"), 3.5), (("business", "sales", "gain"), 1.0000001), (("name",), "other")]
    assert version not in {Policy.model_validate(changed(path, value)).version for path, value in changes}


def test_a_policy_cannot_be_changed():
    with pytest.raises(ValidationError):
        Policy.model_validate(DOCUMENT).relevance.reach = 4.0


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
        (("scorer",), "oracle"),
        (("name",), "No Such Name"),
        (("surprise",), 1),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_policy_that_cannot_be_meant_is_refused(path, value):
    with pytest.raises(ValidationError):
        Policy.model_validate(changed(path, value))


def test_two_legs_without_weight_are_refused():
    document = changed(("relevance", "lexical", "weight"), 0.0)
    document["relevance"]["similarity"]["weight"] = 0.0
    with pytest.raises(ValidationError, match="weight above 0"):
        Policy.model_validate(document)


def test_an_empty_name_means_default_and_an_unknown_one_is_not_found():
    policy = Policy.model_validate(DOCUMENT)
    book = PolicyBook({"default": policy})
    assert book.named("") == book.named("default") == (policy, policy.version)
    with pytest.raises(NotFound) as refused:
        book.named("secret-experiment")
    assert refused.value.reason == "POLICY_NOT_FOUND"
    assert "secret-experiment" not in refused.value.message
