"""What feedback can be told about profiles."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.settings import Count
from services.feedback.behaviours import DEFAULT_WEIGHTS, BehaviourRules
from services.feedback.events import EventType
from services.feedback.profiles import HistoryLimits, ProfileRules
from services.feedback.statistics_requests import PageLimits

_Days = Annotated[float, Field(gt=0)]
_Weight = Annotated[float, Field(ge=-100, le=100)]


class ProfileSettings(BaseSettings):
    """How behaviour becomes a profile."""

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    profile_weight_search: _Weight = Field(
        DEFAULT_WEIGHTS[EventType.SEARCH], description="Weight of a query in a profile, when it has just been asked."
    )
    profile_weight_view: _Weight = Field(DEFAULT_WEIGHTS[EventType.DETAIL_PAGE_VIEW], description="Of a page view.")
    profile_weight_click: _Weight = Field(DEFAULT_WEIGHTS[EventType.CLICK], description="Of a click.")
    profile_weight_add_to_cart: _Weight = Field(
        DEFAULT_WEIGHTS[EventType.ADD_TO_CART], description="Of putting into the cart."
    )
    profile_weight_remove_from_cart: _Weight = Field(
        DEFAULT_WEIGHTS[EventType.REMOVE_FROM_CART], description="Of taking out of the cart; below 0 = not wanted."
    )
    profile_weight_purchase: _Weight = Field(DEFAULT_WEIGHTS[EventType.PURCHASE_COMPLETE], description="Of a purchase.")
    profile_weight_rate: _Weight = Field(
        DEFAULT_WEIGHTS[EventType.RATE],
        description="Of the best rating; the worst one weighs the negative of it, the middle one nothing.",
    )
    profile_weight_comment: _Weight = Field(DEFAULT_WEIGHTS[EventType.COMMENT], description="Of a comment.")
    profile_weight_share: _Weight = Field(DEFAULT_WEIGHTS[EventType.SHARE], description="Of a share.")
    profile_weight_dismiss: _Weight = Field(
        DEFAULT_WEIGHTS[EventType.DISMISS], description="Of a dismissal; below 0 = not wanted."
    )
    profile_half_life_days: _Days = Field(7.0, description="Days after which a behaviour weighs half.")
    profile_later_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        0.6, description="What each later event, of another product or text, leaves of a behaviour's weight."
    )
    profile_text_characters: Count = Field(
        1_000, description="Characters of a query or comment in a profile; the rest is left out."
    )
    profile_events: int = Field(
        200, ge=1, le=5_000, description="Latest events of a visitor, and of an account, that are read for a profile."
    )
    profile_purchases: int = Field(
        500, ge=1, le=10_000, description="Latest purchases, and dismissals, that are read for a profile."
    )
    profile_visitors: int = Field(
        10, ge=1, le=100, description="Latest visitors of one account whose events are read for a profile."
    )
    profile_purchase_days: _Days = Field(30.0, description="Days for which a profile lists what was bought.")
    profile_dismissal_days: _Days = Field(365.0, description="Days for which a profile lists what was dismissed.")
    max_profile_products: Count = Field(500, description="Products bought, and dismissed, in one profile at most.")
    max_repeat_purchases: Count = Field(100, description="Products bought more than once in one profile at most.")
    default_behaviours: Count = Field(50, description="Behaviours in one profile by default.")
    max_behaviours: Count = Field(200, description="Behaviours in one profile at most.")

    def history_limits(self) -> HistoryLimits:
        """How much is read for a profile."""
        return HistoryLimits(self.profile_events, self.profile_purchases, self.profile_visitors)

    def profile_rules(self) -> ProfileRules:
        """How what was read becomes a profile."""
        weights = {
            EventType.SEARCH: self.profile_weight_search,
            EventType.DETAIL_PAGE_VIEW: self.profile_weight_view,
            EventType.CLICK: self.profile_weight_click,
            EventType.ADD_TO_CART: self.profile_weight_add_to_cart,
            EventType.REMOVE_FROM_CART: self.profile_weight_remove_from_cart,
            EventType.PURCHASE_COMPLETE: self.profile_weight_purchase,
            EventType.RATE: self.profile_weight_rate,
            EventType.COMMENT: self.profile_weight_comment,
            EventType.SHARE: self.profile_weight_share,
            EventType.DISMISS: self.profile_weight_dismiss,
        }
        return ProfileRules(
            BehaviourRules(
                weights, self.profile_half_life_days, self.profile_later_decay, self.profile_text_characters
            ),
            PageLimits(self.default_behaviours, self.max_behaviours),
            self.profile_purchase_days,
            self.profile_dismissal_days,
            self.max_profile_products,
            self.max_repeat_purchases,
        )
