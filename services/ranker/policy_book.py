"""The policies of a process, by name and kind."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from services.common.errors import NotFound, invalid
from services.ranker.recommend_policy import RecommendPolicy
from services.ranker.search_policy import SearchPolicy

DEFAULT_SEARCH: Final = "default"
DEFAULT_RECOMMEND: Final = "recommend"

Policy = Annotated[SearchPolicy | RecommendPolicy, Field(discriminator="kind")]
POLICY: Final[TypeAdapter[SearchPolicy | RecommendPolicy]] = TypeAdapter(Policy)
"""Reads a document of either kind."""


class PolicyBook:
    """The policies of this process."""

    def __init__(self, policies: Mapping[str, SearchPolicy | RecommendPolicy]) -> None:
        self._policies = {name: (policy, policy.version) for name, policy in policies.items()}

    def search(self, name: str) -> tuple[SearchPolicy, str]:
        """The search policy of this name, empty = `default`, and its version.

        Raises:
            NotFound: there is no policy of this name.
            InvalidArgument: it is of another kind.
        """
        policy, version = self._named(name or DEFAULT_SEARCH)
        if not isinstance(policy, SearchPolicy):
            raise invalid("policy", "must be a policy of kind `search`", "WRONG_KIND")
        return policy, version

    def recommend(self, name: str) -> tuple[RecommendPolicy, str]:
        """The recommendation policy of this name, empty = `recommend`, and its version.

        Raises:
            NotFound: there is no policy of this name.
            InvalidArgument: it is of another kind.
        """
        policy, version = self._named(name or DEFAULT_RECOMMEND)
        if not isinstance(policy, RecommendPolicy):
            raise invalid("policy", "must be a policy of kind `recommend`", "WRONG_KIND")
        return policy, version

    def _named(self, name: str) -> tuple[SearchPolicy | RecommendPolicy, str]:
        try:
            return self._policies[name]
        except KeyError:
            raise NotFound("policy: no policy of this name is loaded", reason="POLICY_NOT_FOUND") from None
