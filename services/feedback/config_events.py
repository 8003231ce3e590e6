"""What feedback can be told about events."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.settings import Count, Seconds
from services.feedback.event_rules import EventLimits
from services.feedback.group_commit import GroupLimits
from services.feedback.retention import UpkeepRules

_LONGEST_RETENTION = 36_500


class EventSettings(BaseSettings):
    """Settings of events."""

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    max_events: Count = Field(1_000, description="Events in one call at most.")
    max_event_batch_bytes: Count = Field(8 * 1024 * 1024, description="Bytes of the events of one call at most.")
    max_event_products: int = Field(500, ge=1, le=10_000, description="Products in one event at most.")
    max_event_quantity: int = Field(
        1_000_000, ge=1, le=2**31 - 1, description="Units of one product in one event at most."
    )
    max_event_query_characters: Count = Field(5_000, description="Characters of what was searched for at most.")
    max_event_comment_characters: Count = Field(20_000, description="Characters of a comment at most.")
    event_future_seconds: float = Field(
        300.0, ge=0, description="How far an event's time may lie ahead of the clock; further ahead it is refused."
    )
    event_retention_days: int = Field(
        395, ge=1, le=_LONGEST_RETENTION, description="Days for which events are kept, and how old one may be."
    )
    ledger_retention_days: int = Field(
        395,
        ge=1,
        le=_LONGEST_RETENTION,
        description="Days for which the ids of events are known; not below the retention of events.",
    )
    partition_months_ahead: int = Field(
        2, ge=1, le=24, description="Months after the present one for which partitions are there."
    )
    upkeep_seconds: Seconds = Field(86_400.0, description="Time between two rounds of upkeep: partitions, retention.")
    upkeep_retry_seconds: Seconds = Field(30.0, description="Time until a round of upkeep that failed is tried again.")
    upkeep_step_seconds: Seconds = Field(30.0, description="Longest time of one step of upkeep.")
    max_waiting_events: Count = Field(
        20_000, description="Events that wait to be written at most; further ones are RESOURCE_EXHAUSTED."
    )
    max_waiting_event_bytes: Count = Field(
        64 * 1024 * 1024, description="Bytes of events that wait to be written at most."
    )
    commit_events: Count = Field(2_000, description="Events in one commit; a larger batch has one of its own.")
    commit_writers: int = Field(2, ge=1, le=16, description="Commits that are on their way at once.")
    commit_seconds: Seconds = Field(5.0, description="Longest time of one commit; then UNAVAILABLE.")

    @model_validator(mode="after")
    def _knows_ids_for_as_long_as_events(self) -> Self:
        if self.ledger_retention_days < self.event_retention_days:
            raise ValueError("ZHIYIN_LEDGER_RETENTION_DAYS must not be below ZHIYIN_EVENT_RETENTION_DAYS")
        return self

    def event_limits(self) -> EventLimits:
        """What one call and one event may hold."""
        return EventLimits(
            max_events=self.max_events,
            max_batch_bytes=self.max_event_batch_bytes,
            max_products=self.max_event_products,
            max_quantity=self.max_event_quantity,
            max_query_characters=self.max_event_query_characters,
            max_comment_characters=self.max_event_comment_characters,
            future_seconds=self.event_future_seconds,
            retention_days=self.event_retention_days,
        )

    def group_limits(self) -> GroupLimits:
        """How much waits, and is written at once."""
        return GroupLimits(
            waiting_events=self.max_waiting_events,
            waiting_bytes=self.max_waiting_event_bytes,
            commit_events=self.commit_events,
            writers=self.commit_writers,
            commit_seconds=self.commit_seconds,
        )

    def upkeep_rules(self) -> UpkeepRules:
        """What upkeep does, and when."""
        return UpkeepRules(
            self.partition_months_ahead, self.upkeep_seconds, self.upkeep_retry_seconds, self.upkeep_step_seconds
        )
