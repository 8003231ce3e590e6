"""Settings of retrieval: read once, in `__main__`."""

from typing import Annotated

from pydantic import Field

from services.common.postgres import DatabaseSettings
from services.common.settings import Count, Seconds, ServiceSettings
from services.retrieval.analysis import Bm25
from services.retrieval.documents import DocumentRules
from services.retrieval.validation import ProductLimits

Share = Annotated[float, Field(ge=0, le=1)]


class RetrievalSettings(ServiceSettings, DatabaseSettings):
    """What retrieval can be told, beyond what every service can."""

    bind: str = Field("127.0.0.1:50052", description="Host and port to listen on; port 0 = any free one.")
    qdrant_url: str = Field("127.0.0.1:6334", description="Host and port, or gRPC target, of Qdrant's gRPC API.")
    encoder_target: str = Field("dns:///127.0.0.1:50051", description="gRPC target of the encoder.")

    write_batch: Count = Field(500, description="Products or ids in one write or look-up at most.")
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

    bm25_k1: Annotated[float, Field(ge=0)] = Field(
        0.3, description="BM25's k1: how slowly repeated words stop counting. A change needs a rebuilt index."
    )
    bm25_b: Share = Field(
        0.75, description="BM25's b: how much long documents count less. A change needs a rebuilt index."
    )
    bm25_average_length: Annotated[float, Field(gt=0)] = Field(
        20.0, description="Words of an average document. A change needs a rebuilt index."
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
    index_write_seconds: Seconds = Field(10.0, description="Longest time of one write to Qdrant.")
    wait_reserve_seconds: Annotated[float, Field(ge=0)] = Field(
        0.25, description="Of the caller's time, what waiting until a write is searchable leaves for answering."
    )

    max_title_characters: Count = Field(1_000, description="Characters of a title without its markup.")
    max_description_characters: Count = Field(20_000, description="Characters of a description.")
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

    def document_rules(self) -> DocumentRules:
        """How a product becomes a document of the index."""
        return DocumentRules(
            bm25=Bm25(self.bm25_k1, self.bm25_b, self.bm25_average_length),
            encoded_description_characters=self.encoded_description_characters,
            analysed_description_characters=self.analysed_description_characters,
            description_word_weight=self.description_word_weight,
        )
