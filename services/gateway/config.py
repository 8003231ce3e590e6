"""Settings of the gateway."""

from pydantic import Field

from services.common.settings import Count, Seconds, ServiceSettings, SigningSettings


class GatewaySettings(ServiceSettings, SigningSettings):
    """Everything that the gateway can be told."""

    bind: str = Field("127.0.0.1:50050", description="Host and port to listen on.")
    default_deadline_seconds: Seconds = Field(2.0, description="Time that a call gets whose caller set no deadline.")
    admin_deadline_seconds: Seconds = Field(
        30.0,
        description="Time that a call of catalogue settings or index administration gets whose caller set no deadline.",
    )

    retrieval_target: str = Field("dns:///127.0.0.1:50052", description="gRPC target of the retrieval service.")
    ranker_target: str = Field("dns:///127.0.0.1:50053", description="gRPC target of the ranker service.")
    feedback_target: str = Field("dns:///127.0.0.1:50054", description="gRPC target of the feedback service.")

    profile_seconds: Seconds = Field(
        0.010, description="Longest wait for a visitor's profile; then the reply is not personal, and says so."
    )
    long_profile_seconds: Seconds = Field(
        0.100, description="The same for a recommendation, which is about nothing else."
    )
    related_seconds: Seconds = Field(
        0.100, description="Longest wait for products that go together; then a recommendation is made without them."
    )
    content_seconds: Seconds = Field(
        1.0,
        description="Longest wait for candidates for a visitor, and at most six tenths of the caller's time; then "
        "other sources carry the recommendation.",
    )
    popular_seconds: Seconds = Field(1.0, description="Longest wait for what is popular, once for each catalogue.")
    popular_fresh_seconds: Seconds = Field(
        10.0, description="Age at which a replica fetches what is popular again, in the background."
    )
    popular_stale_seconds: Seconds = Field(
        120.0, description="Age from which a recommendation says that what is popular is out of date."
    )
    popular_catalogs: Count = Field(100, description="Catalogues whose popular products a replica keeps.")
    event_seconds: Seconds = Field(10.0, description="Longest wait until events are on disk; then UNAVAILABLE.")
    ranker_seconds: Seconds = Field(0.300, description="Longest wait for the ranker; then retrieval's order is kept.")
    reply_reserve_seconds: Seconds = Field(
        0.050, description="Part of the caller's time that is kept back to rank and to assemble the reply."
    )

    max_query_characters: Count = Field(5000, description="Longest query, in characters.")
    max_visitor_id_characters: Count = Field(128, description="Longest visitor id, in characters.")
    max_policy_characters: Count = Field(64, description="Longest name of a ranking policy, in characters.")
    default_page_size: Count = Field(20, description="Results on one page where the caller names no size.")
    max_page_size: Count = Field(100, description="Results on one page at most; a larger size is read as this one.")
    max_places: Count = Field(
        200, le=500, description="Places of one ranked list that can be paged through; also the candidates asked for."
    )
    max_page_products: Count = Field(50, description="Products of the page in a request for recommendations.")
    max_session_actions: Count = Field(50, description="Actions of the visit in a request for recommendations.")
    max_excluded_products: Count = Field(500, description="Products that a request for recommendations excludes.")
    max_language_characters: Count = Field(35, description="Longest language tag, in characters.")
    max_behaviours: Count = Field(50, le=200, description="Behaviours of a visitor that a reply rests on.")
    max_seed_events: Count = Field(
        10, description="Last events of a visitor from which what goes together is looked up."
    )
    max_seed_products: Count = Field(
        50, le=50, description="Products of these events, and of the page, that are looked up at most."
    )
    max_sourced_products: Count = Field(
        400, le=500, description="Products that other sources than content bring to a recommendation."
    )
    max_excluded_recommendations: Count = Field(
        2000, le=2000, description="Products that a recommendation leaves out: of the request, bought and dismissed."
    )
    recommend_unseen_only: bool = Field(
        default=True,
        description="Whether recommendations leave out what the visitor has turned to lately; where `purchased` is "
        "ALLOWED, what was bought may come back all the same.",
    )
    recommend_in_stock_only: bool = Field(
        default=True,
        description="Whether recommendations leave out what is out of stock, unless the caller filters by it.",
    )
    attribution_token_seconds: Count = Field(
        2_592_000, description="Age after which an attribution token is refused; 30 days."
    )
    page_token_seconds: Count = Field(3600, description="Age after which a page token is refused.")

    impression_queue_size: Count = Field(
        1000, description="Pages shown that wait to be recorded; beyond it new ones are dropped and counted."
    )
    impression_flush_seconds: Seconds = Field(3.0, description="Time to record what is queued at shutdown.")
