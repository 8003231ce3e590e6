"""What the ranker can be told."""

from pathlib import Path

from pydantic import Field

from services.common.settings import Count, Seconds, ServiceSettings


class RankerSettings(ServiceSettings):
    """Settings of the ranker; the common ones are in `ServiceSettings`."""

    policy_directory: Path | None = Field(
        None,
        description="Directory of further policies, `<name>.json`; one named like a shipped policy replaces it.",
    )
    max_candidates: Count = Field(1000, description="Candidates in one call at most.")
    max_vector_dims: Count = Field(8192, description="Elements of a vector at most.")
    max_sources: Count = Field(200, description="Entries of the sources of one candidate in a recommendation at most.")
    max_behaviours: Count = Field(200, description="Behaviours in one recommendation at most.")
    max_titles: Count = Field(300, description="Titles for the reasons of one recommendation at most.")
    feedback_target: str | None = Field(
        None,
        description="gRPC target of the feedback service, whose statistics are followed; absent = without statistics.",
    )
    max_statistics_products: Count = Field(
        1_000_000, description="Products whose statistics are held in memory; the least popular leave first."
    )
    statistics_page_size: int = Field(
        1000, gt=0, le=100_000, description="Products in one reading of the statistics at most."
    )
    statistics_wait_seconds: float = Field(
        1.0, gt=0, le=30, description="Longest wait of one reading for a change; bounds the age of the statistics."
    )
    statistics_pause_seconds: Seconds = Field(0.25, description="Pause between two readings where there is no more.")
    statistics_retry_seconds: Seconds = Field(1.0, description="Pause after a reading that failed.")
