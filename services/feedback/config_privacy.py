"""What feedback can be told about impressions, learning from them, and what is kept of a person."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.settings import Count, Seconds
from services.feedback.training import TrainingRules

_LONGEST_RETENTION = 36_500


class PrivacySettings(BaseSettings):
    """Settings of impressions, training examples, exports and erasures."""

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    impression_retention_days: int = Field(
        395, ge=1, le=_LONGEST_RETENTION, description="Days for which impressions and their ids are kept."
    )
    training_window_seconds: Seconds = Field(
        3_600.0, description="Time after which an impression becomes a training example, with what came of it so far."
    )
    training_late_seconds: Seconds = Field(
        86_400.0, description="Time after an impression was shown in which what came of it counts."
    )
    training_batch: int = Field(1_000, ge=1, le=10_000, description="Impressions, and events, looked at in one turn.")
    training_poll_seconds: Seconds = Field(5.0, description="Time between two looks for examples that are ready.")
    default_training_examples: Count = Field(100, description="Examples in ListTrainingExamples by default.")
    max_training_examples: Count = Field(1_000, description="Examples in ListTrainingExamples at most.")
    max_export_bytes: int = Field(
        1_048_576, ge=1_024, le=16_777_216, description="Bytes of one page of an export; one longer line is a page."
    )
    erasure_log: Path | None = Field(
        None,
        description="Directory outside the database for the log of erasures; without it a restore brings back what was "
        "erased since the backup, and nothing knows of it.",
    )
    erase_statement_seconds: Seconds = Field(
        60.0, description="Longest time of one statement of an erasure; then UNAVAILABLE, and nothing was erased."
    )
    purge_hours: int = Field(
        24, ge=1, le=720, description="Hours within which the dead rows of an erasure are cleared away."
    )
    purge_poll_seconds: Seconds = Field(600.0, description="Time between two looks for erasures to clear away.")
    purge_statement_seconds: Seconds = Field(3_600.0, description="Longest time to clear away one table.")
    visitor_previous_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Key before `visitor_key`: profiles, exports and erasures find what was kept under it as well.",
    )

    def training_rules(self) -> TrainingRules:
        """When an impression is a training example."""
        return TrainingRules(
            self.training_window_seconds, self.training_late_seconds, self.training_batch, self.training_poll_seconds
        )
