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
    ranker_seconds: Seconds = Field(0.300, description="Longest wait for the ranker; then retrieval's order is kept.")
    reply_reserve_seconds: Seconds = Field(
        0.050, description="Part of the caller's time that is kept back to rank and to assemble the reply."
    )

    max_query_characters: Count = Field(5000, description="Longest query, in characters.")
    max_visitor_id_characters: Count = Field(128, description="Longest visitor id, in characters.")
    default_page_size: Count = Field(20, description="Results on one page where the caller names no size.")
    max_page_size: Count = Field(100, description="Results on one page at most; a larger size is read as this one.")
    max_places: Count = Field(
        200, le=500, description="Places of one ranked list that can be paged through; also the candidates asked for."
    )
    page_token_seconds: Count = Field(3600, description="Age after which a page token is refused.")

    impression_queue_size: Count = Field(
        1000, description="Pages shown that wait to be recorded; beyond it new ones are dropped and counted."
    )
    impression_flush_seconds: Seconds = Field(3.0, description="Time to record what is queued at shutdown.")
