"""Settings of retrieval: read once, in `__main__`."""

from typing import Annotated

from pydantic import Field

from services.common.postgres import DatabaseSettings
from services.common.settings import Count, Seconds, ServiceSettings
from services.retrieval.analysis import Bm25
from services.retrieval.answering import AnswerRules
from services.retrieval.catalog_settings import SettingsLimits
from services.retrieval.documents import DocumentRules
from services.retrieval.facet_rules import FacetLimits
from services.retrieval.filter_rules import FilterLimits
from services.retrieval.interests import InterestRules
from services.retrieval.listing import ListingLimits
from services.retrieval.recommend_rules import RecommendRules
from services.retrieval.result_set import SetRules
from services.retrieval.search import SearchRules
from services.retrieval.validation import ProductLimits

Share = Annotated[float, Field(ge=0, le=1)]


class RetrievalSettings(ServiceSettings, DatabaseSettings):
    """What retrieval can be told, beyond what every service can."""

    bind: str = Field("127.0.0.1:50052", description="Host and port to listen on; port 0 = any free one.")
    qdrant_url: str = Field("127.0.0.1:6334", description="Host and port, or gRPC target, of Qdrant's gRPC API.")
    encoder_target: str = Field(
        "dns:///127.0.0.1:50051",
        description="gRPC target of the encoder; several, separated by commas, where index versions of several models "
        "are served. The first version of a catalogue takes the model of the first.",
    )

    write_batch: Count = Field(500, description="Products or ids in one write or look-up at most.")
    offer_batch: Count = Field(5_000, description="Offers in one update at most.")
    default_page: Count = Field(100, description="Products on a page where the caller names no size.")
    max_page: Count = Field(500, description="Products on a page at most; a larger size is lowered to it.")
    read_bytes: Count = Field(
        16 * 1024 * 1024, description="Bytes of products in one reply at most; a page ends before, a batch is refused."
    )
    max_declared_attributes: Count = Field(200, description="Attributes that a catalogue's settings declare.")
    default_settings_page: Count = Field(20, description="Versions of settings on a page where none is named.")
    max_settings_page: Count = Field(100, description="Versions of settings on a page at most.")
    query_characters: Count = Field(5_000, description="Characters of a query at most.")
    default_candidates: Count = Field(200, description="Candidates where the caller names no limit.")
    max_candidates: Annotated[int, Field(gt=0, le=500)] = Field(
        500, description="Candidates at most; a higher limit is lowered to it."
    )

    encode_query_seconds: Seconds = Field(
        0.5, description="Longest wait for a query's vector; then candidates are found by words only."
    )
    qdrant_seconds: Seconds = Field(2.0, description="Longest time of one call of Qdrant within a search.")
    search_reserve_seconds: Annotated[float, Field(ge=0)] = Field(
        0.15, description="Of the caller's time, what the wait for a vector leaves for finding and answering."
    )
    answer_reserve_seconds: Annotated[float, Field(ge=0)] = Field(
        0.02, description="Of the caller's time, what the last call leaves for answering."
    )
    index_version_seconds: Seconds = Field(
        10.0, description="Age at which a replica looks again which index version of a catalogue is active."
    )
    lexical_weight: Share = Field(0.5, description="Share of the words in retrieval's own order; the rest is meaning.")
    result_window: Annotated[int, Field(gt=0, le=500)] = Field(
        500, description="Products of each leg that a result set is taken from at most."
    )
    ranked_window: Annotated[int, Field(gt=0, le=500)] = Field(
        200, description="The same for up to as many candidates by relevance without facets; equal = always one window."
    )
    dense_floor: Annotated[float, Field(ge=-1, le=1)] = Field(
        0.3, description="Share of the best centred cosine that products found by meaning have at least; -1 = no floor."
    )
    lexical_floor: Share = Field(
        0.4, description="Share of the best lexical score that products found by words have at least; 0 = no floor."
    )
    window_groups: Annotated[int, Field(ge=0)] = Field(
        200, description="Primary products that a full window should show; with fewer the legs are asked again."
    )
    window_rounds: Count = Field(3, description="How often the legs are asked for one result set at most.")
    max_filter_depth: Annotated[int, Field(ge=0, le=10)] = Field(3, description="Levels of groups in a filter.")
    max_filter_conditions: Count = Field(100, description="Conditions of a filter, those of its groups included.")
    max_filter_values: Count = Field(100, description="Values or groups in one list of a filter.")
    max_facets: Count = Field(50, description="Facets of a search.")
    default_facet_values: Count = Field(20, description="Values of a facet where the caller names no limit.")
    max_facet_values: Count = Field(100, description="Values of a facet at most; a higher limit is lowered to it.")
    max_facet_ranges: Count = Field(50, description="Ranges of a facet.")
    max_excluded_products: Count = Field(500, description="Products that similar ones are asked to leave out.")

    max_behaviours: Count = Field(200, description="Behaviours of a visitor in one request.")
    max_page_products: Count = Field(50, description="Products of a page in one request.")
    max_extra_products: Count = Field(500, description="Products that other sources bring into one request.")
    max_excluded_recommendations: Count = Field(2_000, description="Products that recommendations leave out.")
    max_behaviour_texts: Annotated[int, Field(ge=0)] = Field(
        3, description="Queries and comments of a visitor that are encoded for one request; the heaviest ones."
    )
    page_seeds: Count = Field(5, description="Products of a page that similar ones are searched for; the first ones.")
    least_direction_candidates: Count = Field(
        20, description="Candidates that each interest and each product of the page brings at least."
    )
    exact_reasons: Annotated[int, Field(ge=0)] = Field(
        60, description="Candidates, the closest ones, whose reason names the closest behaviour, not the heaviest one."
    )
    max_interests: Count = Field(4, description="Interests that a visitor's behaviours are parted into at most.")
    max_interest_behaviours: Count = Field(
        10, description="Wanted behaviours that interests are made of, the newest ones."
    )
    interest_threshold: Annotated[float, Field(ge=-1, le=1)] = Field(
        0.5, description="Centred cosine from which on a behaviour joins an interest."
    )
    dislike_weight: Annotated[float, Field(ge=0)] = Field(
        0.5, description="What an unwanted behaviour takes from an interest, where a wanted one of its weight adds 1."
    )

    bm25_k1: Annotated[float, Field(ge=0)] = Field(
        0.3, description="BM25's k1: how slowly repeated words stop counting. Existing index versions keep theirs."
    )
    bm25_b: Share = Field(
        0.75, description="BM25's b: how much long documents count less. Existing index versions keep theirs."
    )
    bm25_average_length: Annotated[float, Field(gt=0)] = Field(
        20.0, description="Words of an average document. Existing index versions keep theirs."
    )
    encoded_description_characters: Annotated[int, Field(ge=0)] = Field(
        1_000, description="Characters of a description that the language model is given."
    )
    analysed_description_characters: Annotated[int, Field(ge=0)] = Field(
        1_000, description="Characters of a description that are searched by words."
    )
    description_word_weight: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="What a word of the description counts, where one of the title counts 1."
    )

    index_batch: Annotated[int, Field(gt=0, le=256)] = Field(
        64, description="Products indexed at a time; also texts in one call of the encoder, which takes 256 at most."
    )
    index_poll_seconds: Seconds = Field(
        0.5, description="Pause after which the indexer looks for writes of other replicas; its own wake it at once."
    )
    index_backoff_seconds: Seconds = Field(
        5.0, description="Longest pause after a failure, unless the failing part asks for a longer one."
    )
    index_lease_seconds: Seconds = Field(
        5.0, description="Time after which another replica takes over from an indexer that has died."
    )
    index_check_seconds: Seconds = Field(
        10.0, description="Time between two checks that every catalogue's collection is still there."
    )
    encode_products_seconds: Seconds = Field(
        10.0, description="Longest time of one call of the encoder's bulk lane; then the batch is indexed by words."
    )
    index_offers_batch: Annotated[int, Field(gt=0, le=10_000)] = Field(
        2_000, description="Products whose changed offers are indexed at a time."
    )
    index_build_portion: Annotated[int, Field(gt=0, le=10_000)] = Field(
        1_000, description="Products that a build puts into the queue at a time; at most twice as many wait in it."
    )
    index_delete_grace_seconds: Annotated[float, Field(ge=0)] = Field(
        30.0, description="Time from the deletion of an index version until its collection goes."
    )
    max_index_versions: Count = Field(
        5, description="Index versions of a catalogue beside deleted ones; every change is written to each."
    )
    max_revision_characters: Count = Field(128, description="Characters of a model's revision in a request.")
    default_verify_page: Count = Field(1_000, description="Products or points verified in one call by default.")
    max_verify_page: Annotated[int, Field(gt=0, le=10_000)] = Field(
        5_000, description="Products or points verified in one call at most; a larger number is lowered to it."
    )
    index_write_seconds: Seconds = Field(10.0, description="Longest time of one write to Qdrant.")
    wait_reserve_seconds: Annotated[float, Field(ge=0)] = Field(
        0.25, description="Of the caller's time, what waiting until a write is searchable leaves for answering."
    )

    max_title_characters: Count = Field(1_000, description="Characters of a title without its markup.")
    max_description_characters: Count = Field(20_000, description="Characters of a description without its markup.")
    max_markup_factor: Count = Field(
        5, description="With its markup a title or description may be this many times as long as without."
    )
    max_brand_characters: Count = Field(200, description="Characters of a brand.")
    max_categories: Count = Field(20, description="Category paths of a product.")
    max_category_levels: Count = Field(10, description="Levels of a category path.")
    max_category_characters: Count = Field(200, description="Characters of one level.")
    max_images: Count = Field(50, description="Images of a product.")
    max_uri_characters: Count = Field(2_000, description="Characters of an address.")
    max_sku_characters: Count = Field(128, description="Characters of a stock keeping unit.")
    max_attributes: Count = Field(100, description="Attributes of a product.")
    max_attribute_name_characters: Count = Field(64, description="Characters of an attribute's name or unit.")
    max_attribute_values: Count = Field(50, description="Values of an attribute.")
    max_attribute_characters: Count = Field(256, description="Characters of one text of an attribute.")
    max_offers: Count = Field(250, description="Offers of a product.")
    max_region_characters: Count = Field(64, description="Characters of a region's name.")

    def product_limits(self) -> ProductLimits:
        """The limits of a product."""
        return ProductLimits(
            title_characters=self.max_title_characters,
            description_characters=self.max_description_characters,
            markup_factor=self.max_markup_factor,
            brand_characters=self.max_brand_characters,
            categories=self.max_categories,
            category_levels=self.max_category_levels,
            category_characters=self.max_category_characters,
            images=self.max_images,
            uri_characters=self.max_uri_characters,
            sku_characters=self.max_sku_characters,
            attributes=self.max_attributes,
            attribute_name_characters=self.max_attribute_name_characters,
            attribute_values=self.max_attribute_values,
            attribute_characters=self.max_attribute_characters,
            offers=self.max_offers,
            region_characters=self.max_region_characters,
        )

    def search_rules(self) -> SearchRules:
        """The limits of a search."""
        return SearchRules(
            self.query_characters,
            self.default_candidates,
            self.max_candidates,
            self.product_limits(),
            FilterLimits(self.max_filter_depth, self.max_filter_conditions, self.max_filter_values),
            self.facet_limits(),
            self.max_behaviours,
        )

    def recommend_rules(self) -> RecommendRules:
        """Limits of recommendations, and how behaviours become candidates."""
        return RecommendRules(
            self.search_rules(),
            self.max_page_products,
            self.max_extra_products,
            self.max_excluded_recommendations,
            self.max_behaviour_texts,
            self.page_seeds,
            self.least_direction_candidates,
            self.exact_reasons,
            self.interest_rules(),
        )

    def interest_rules(self) -> InterestRules:
        """How behaviours become interests."""
        return InterestRules(
            self.max_interests, self.interest_threshold, self.dislike_weight, self.max_interest_behaviours
        )

    def answer_rules(self) -> AnswerRules:
        """Bounds and weights of what a search finds."""
        sets = SetRules(
            self.result_window,
            self.ranked_window,
            self.dense_floor,
            self.lexical_floor,
            self.window_groups,
            self.window_rounds,
        )
        return AnswerRules(sets, self.lexical_weight, self.facet_limits())

    def facet_limits(self) -> FacetLimits:
        """The limits of facets."""
        return FacetLimits(self.max_facets, self.default_facet_values, self.max_facet_values, self.max_facet_ranges)

    def listing_limits(self) -> ListingLimits:
        """How much a reply with products holds."""
        return ListingLimits(self.write_batch, self.default_page, self.max_page, self.read_bytes)

    def settings_limits(self) -> SettingsLimits:
        """The limits of a catalogue's settings."""
        return SettingsLimits(
            self.max_declared_attributes,
            self.max_attribute_name_characters,
            self.default_settings_page,
            self.max_settings_page,
        )

    def encoder_targets(self) -> list[str]:
        """Targets of the encoders, the first one first."""
        return [target.strip() for target in self.encoder_target.split(",") if target.strip()]

    def document_rules(self) -> DocumentRules:
        """How a product becomes a document of the index."""
        return DocumentRules(
            bm25=Bm25(self.bm25_k1, self.bm25_b, self.bm25_average_length),
            encoded_description_characters=self.encoded_description_characters,
            analysed_description_characters=self.analysed_description_characters,
            description_word_weight=self.description_word_weight,
        )
