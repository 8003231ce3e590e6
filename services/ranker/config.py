"""What the ranker can be told."""

from pathlib import Path

from pydantic import Field

from services.common.settings import Count, ServiceSettings


class RankerSettings(ServiceSettings):
    """Settings of the ranker; the common ones are in `ServiceSettings`."""

    policy_directory: Path | None = Field(
        None,
        description="Directory of further policies, `<name>.json`; one named like a shipped policy replaces it.",
    )
    max_candidates: Count = Field(1000, description="Candidates in one call at most.")
    max_vector_dims: Count = Field(8192, description="Elements of a vector at most.")
