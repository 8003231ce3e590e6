"""What feedback can be told."""

from pydantic import Field, SecretStr

from services.common.postgres import DatabaseSettings
from services.common.settings import Count, ServiceSettings
from services.feedback.config_events import EventSettings
from services.feedback.config_privacy import PrivacySettings
from services.feedback.config_profiles import ProfileSettings
from services.feedback.config_statistics import StatisticsSettings
from services.feedback.impressions import ImpressionLimits


class CounterSettings(ServiceSettings, DatabaseSettings, EventSettings, StatisticsSettings):
    """Settings of the process that counts; the common ones are in `ServiceSettings` and `DatabaseSettings`."""


class FeedbackSettings(CounterSettings, ProfileSettings, PrivacySettings):
    """Settings of feedback."""

    count_statistics: bool = Field(
        default=True,
        description="Whether this process counts too; false where `python -m services.feedback.counter` runs.",
    )

    visitor_key: SecretStr = Field(
        min_length=32,
        description="Key of the hash that stands for a visitor; at least 32 characters, the same on every replica.",
    )
    visitor_key_version: int = Field(
        1, ge=1, le=32767, description="Number of the key, stored beside each hash; another key needs another number."
    )
    max_impressions: Count = Field(100, description="Impressions in one call at most.")
    max_shown_products: Count = Field(500, description="Products in one impression at most.")
    max_features_bytes: Count = Field(4096, description="Bytes of the features of one shown product at most.")
    max_impression_query_characters: Count = Field(
        5_000, description="Characters of what was searched for, in one impression, at most."
    )

    def impression_limits(self) -> ImpressionLimits:
        """What one call and one impression may hold."""
        return ImpressionLimits(
            self.max_impressions,
            self.max_shown_products,
            self.max_features_bytes,
            self.max_impression_query_characters,
        )
