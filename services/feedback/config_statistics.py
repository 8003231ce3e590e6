"""What the statistics of feedback can be told."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.settings import Count, Seconds
from services.feedback.bots import BotRules
from services.feedback.co_occurrence import PairRules, ScoreRules
from services.feedback.counting import DEFAULT_WEIGHTS, Action, CountingRules
from services.feedback.statistics_changes import WaitRules
from services.feedback.statistics_requests import PageLimits
from services.feedback.statistics_turn import BatchLimits
from services.feedback.statistics_worker import WorkerRules

Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=-100, le=100)]


class StatisticsSettings(BaseSettings):
    """How events become statistics, and how much of them can be asked for.

    Those marked "needs a recount" hold for tables that are empty, or from a run of
    `python -m services.feedback.statistics_recount` on.
    """

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    weight_view: Weight = Field(
        DEFAULT_WEIGHTS[Action.DETAIL_PAGE_VIEW],
        description="Weight of a page view in what is trending and popular; needs a recount.",
    )
    weight_click: Weight = Field(DEFAULT_WEIGHTS[Action.CLICK], description="Of a click; needs a recount.")
    weight_add_to_cart: Weight = Field(
        DEFAULT_WEIGHTS[Action.ADD_TO_CART], description="Of putting into the cart; needs a recount."
    )
    weight_purchase: Weight = Field(
        DEFAULT_WEIGHTS[Action.PURCHASE_COMPLETE], description="Of a purchase; needs a recount."
    )
    weight_response: Weight = Field(
        DEFAULT_WEIGHTS[Action.RATE], description="Of a rating, a comment and a share each; needs a recount."
    )
    weight_remove_from_cart: Weight = Field(
        0.0, description="Of taking out of the cart; below 0 it lowers what is popular, never below 0; needs a recount."
    )
    weight_dismiss: Weight = Field(0.0, description="Of a dismissal; as before; needs a recount.")
    pair_window: int = Field(
        10, ge=1, le=50, description="Different products before a product that it is paired with; needs a recount."
    )
    pair_tail: int = Field(
        40, ge=2, le=500, description="Choices of a visitor that are kept, above the window; needs a recount."
    )
    pair_distance_exponent: float = Field(
        0.5, ge=0, le=4, description="A product d places before weighs 1 / d to this power; needs a recount."
    )
    pair_half_life_days: Days = Field(90.0, description="Half-life of the pairs; needs a recount.")
    pair_negligible: float = Field(0.001, gt=0, le=1, description="Weight below which a pair is let go of.")
    pair_backward: Share = Field(
        0.4, description="Share of a pair that counts for the product after it, when what goes together is read."
    )
    pair_prior: float = Field(
        20.0, gt=0, description="Added to how often a product is chosen, in what its pairs are divided by."
    )
    pair_seed_exponent: Share = Field(
        0.9, description="Exponent of how often the product is chosen from which one starts."
    )
    pair_popularity_exponent: Share = Field(0.1, description="Exponent of how often the other product is chosen.")
    pair_scanned: Count = Field(
        200, description="Heaviest pairs of a product in each direction that are read for what goes together with it."
    )
    bot_events_a_minute: Count = Field(120, description="Events in a minute above which a visitor is a program.")
    bot_views_a_day: Count = Field(
        600,
        description="Page views in a day above which a visitor is a program who has never put anything into a cart.",
    )
    bot_regular_events: int = Field(30, ge=10, le=500, description="Events in a row whose gaps are compared.")
    bot_gap_variation: Share = Field(
        0.05, description="Standard deviation over mean of these gaps below which a visitor is a program."
    )
    bot_longest_gap_seconds: Seconds = Field(600.0, description="Mean gap above which regularity means nothing.")
    statistics_batch: int = Field(
        2_000, ge=1, le=20_000, description="Events, and impressions, counted in one transaction at most."
    )
    statistics_batch_products: int = Field(
        2_000, ge=1, le=100_000, description="Products in them, up to which another one is taken."
    )
    statistics_poll_seconds: Seconds = Field(
        0.25, description="Longest time without a look for what other replicas have recorded."
    )
    statistics_sweep_seconds: Seconds = Field(
        60.0, description="Time between two looks for what has become negligible."
    )
    statistics_sweep_rows: Count = Field(10_000, description="Rows in one such look.")
    rate_prior: float = Field(
        20.0, gt=0, description="Weight of the catalogue's own rate in the rate of a product, in observations."
    )
    max_statistics_products: Count = Field(500, description="Products in one GetProductStatistics at most.")
    max_seed_products: Count = Field(50, description="Products in one ListCoOccurring at most.")
    default_co_occurring: Count = Field(50, description="Products for each in ListCoOccurring by default.")
    max_co_occurring: Count = Field(200, description="Products for each in ListCoOccurring at most.")
    default_trending: Count = Field(100, description="Products in ListTrending by default.")
    max_trending: Count = Field(500, description="Products in ListTrending at most.")
    default_changes: Count = Field(1_000, description="Products in ListStatisticsChanges by default.")
    max_changes: Count = Field(10_000, description="Products in ListStatisticsChanges at most.")
    max_wait_seconds: Seconds = Field(30.0, description="Longest wait for a change that a caller may ask for.")
    feed_poll_seconds: Seconds = Field(0.1, description="Time between two looks for a change while a caller waits.")

    @model_validator(mode="after")
    def _check_tail(self) -> Self:
        if self.pair_tail <= self.pair_window:
            raise ValueError("pair_tail must be above pair_window")
        return self

    def counting_rules(self) -> CountingRules:
        """By what the tables are counted."""
        weights: dict[int, float] = {
            Action.DETAIL_PAGE_VIEW: self.weight_view,
            Action.CLICK: self.weight_click,
            Action.ADD_TO_CART: self.weight_add_to_cart,
            Action.REMOVE_FROM_CART: self.weight_remove_from_cart,
            Action.PURCHASE_COMPLETE: self.weight_purchase,
            Action.RATE: self.weight_response,
            Action.COMMENT: self.weight_response,
            Action.SHARE: self.weight_response,
            Action.DISMISS: self.weight_dismiss,
        }
        pairs = PairRules(self.pair_window, self.pair_tail, self.pair_distance_exponent, self.pair_half_life_days)
        return CountingRules(weights, pairs, self.bot_rules())

    def bot_rules(self) -> BotRules:
        """Who is a program."""
        return BotRules(
            self.bot_events_a_minute,
            self.bot_views_a_day,
            self.bot_regular_events,
            self.bot_gap_variation,
            self.bot_longest_gap_seconds,
        )

    def score_rules(self) -> ScoreRules:
        """How pairs become scores."""
        return ScoreRules(
            self.pair_backward,
            self.pair_prior,
            self.pair_seed_exponent,
            self.pair_popularity_exponent,
            self.pair_scanned,
        )

    def batch_limits(self) -> BatchLimits:
        """How much is counted in one transaction."""
        return BatchLimits(self.statistics_batch, self.statistics_batch_products)

    def worker_rules(self) -> WorkerRules:
        """Pace of the worker."""
        return WorkerRules(self.statistics_poll_seconds, self.statistics_sweep_seconds)

    def wait_rules(self) -> WaitRules:
        """How long readers of the feed wait."""
        return WaitRules(self.max_wait_seconds, self.feed_poll_seconds)

    def co_occurring_limits(self) -> PageLimits:
        """Length of a list of ListCoOccurring."""
        return PageLimits(self.default_co_occurring, self.max_co_occurring)

    def trending_limits(self) -> PageLimits:
        """Length of a list of ListTrending."""
        return PageLimits(self.default_trending, self.max_trending)

    def change_limits(self) -> PageLimits:
        """Length of a page of ListStatisticsChanges."""
        return PageLimits(self.default_changes, self.max_changes)
