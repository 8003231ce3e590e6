"""What feedback can be told."""

from pydantic import Field, SecretStr

from services.common.postgres import DatabaseSettings
from services.common.settings import Count, ServiceSettings


class FeedbackSettings(ServiceSettings, DatabaseSettings):
    """Settings of feedback; the common ones are in `ServiceSettings` and `DatabaseSettings`."""

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
