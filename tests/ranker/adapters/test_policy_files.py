import json

import pytest

from services.common.settings import SettingsError
from services.ranker.adapters.policy_files import SHIPPED, read_policies


def document(**changes):
    return json.dumps({**json.loads((SHIPPED / "default.json").read_text()), **changes})


def test_the_policies_of_search_and_recommendation_are_shipped():
    assert set(read_policies(None)) == {"default", "article", "recommend", "recommend-exploit"}


def test_a_directory_adds_policies_and_replaces_shipped_ones_of_the_same_name(tmp_path):
    (tmp_path / "spring.json").write_text(document(name="spring"))
    article = json.loads((SHIPPED / "article.json").read_text())
    article["relevance"]["reach"] = 9.0
    (tmp_path / "article.json").write_text(json.dumps(article))
    policies = read_policies(tmp_path)
    assert set(policies) == {"default", "article", "recommend", "recommend-exploit", "spring"}
    assert policies["article"].relevance.reach == 9.0


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "Invalid JSON"),
        ("[]", "document"),
        (document(name="other"), "name of the file"),
        (document(name="spring", scorer="oracle"), "scorer"),
    ],
)
def test_a_bad_file_stops_the_start_and_is_named_with_the_field(tmp_path, content, named):
    (tmp_path / "spring.json").write_text(content)
    with pytest.raises(SettingsError, match=named) as refused:
        read_policies(tmp_path)
    assert "spring.json" in str(refused.value)


def test_a_directory_that_is_not_there_stops_the_start(tmp_path):
    with pytest.raises(SettingsError, match="ZHIYIN_POLICY_DIRECTORY"):
        read_policies(tmp_path / "absent")
