"""Stand-ins for collaborators, passed in by the tests. Servicers among them are served by a real server."""

import asyncio
import hashlib
import re

import numpy as np

from services.common.errors import FailedPrecondition, NotFound, invalid
from zhiyin.common.v1 import (
    explanation_pb2,
    product_pb2,
    recommendation_pb2,
    result_set_pb2,
    user_event_pb2,
    vector_pb2,
    write_pb2,
)
from zhiyin.encoder.v1 import encoder_service_pb2 as encoder_pb
from zhiyin.encoder.v1.encoder_service_pb2_grpc import EncoderServiceServicer
from zhiyin.feedback.v1 import feedback_service_pb2 as feedback_pb
from zhiyin.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceServicer
from zhiyin.gateway.v1 import gateway_service_pb2 as gateway_pb
from zhiyin.gateway.v1.gateway_service_pb2_grpc import GatewayServiceServicer
from zhiyin.ranker.v1 import ranker_service_pb2 as ranker_pb
from zhiyin.ranker.v1.ranker_service_pb2_grpc import RankerServiceServicer
from zhiyin.retrieval.v1 import retrieval_service_pb2 as retrieval_pb
from zhiyin.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceServicer

# --- peers of the gateway ---


class FakeRetrieval(RetrievalServiceServicer):
    """Finds `titles` in their order; forgets what is deleted; can refuse or hang.

    Another order than relevance is that of the ids read backwards: it equals neither this one nor the fake ranker's.
    """

    def __init__(self):
        self.titles = {f"p{number:03}": f"Product {number}" for number in range(1, 46)}
        self.other_variant_counts = {}
        self.requests = []
        self.degradations = []
        self.error = None
        self.hang = False
        self.index_away = None
        """Raised by RecommendCandidates alone: what the database knows can still be had."""
        self.by_content = 5
        """Products that an interest finds."""
        self.time_left = []
        """Seconds that each call was given."""

    async def _noted(self, request, context):
        self.requests.append(request)
        self.time_left.append(context.time_remaining())
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    def _summary(self, product_id):
        return product_pb2.ProductSummary(id=product_id, title=self.titles[product_id])

    def _product(self, product_id):
        if product_id not in self.titles:
            raise NotFound("no such product", reason="PRODUCT_NOT_FOUND")
        return product_pb2.Product(id=product_id, title=self.titles[product_id], etag="1")

    def _fill(self, reply, product_ids):
        reply.degradations.extend(self.degradations)
        reply.index_version = "v1"
        reply.result_set.size = len(self.titles)
        for product_id in product_ids:
            found = reply.found.add(summary=self._summary(product_id))
            found.other_variant_count = self.other_variant_counts.get(product_id, 0)
            found.candidate.product_id = product_id
            found.candidate.scores.cosine = 0.8
        return reply

    async def SearchCandidates(self, request, context):
        await self._noted(request, context)
        reply = retrieval_pb.SearchCandidatesResponse()
        reply.usage.tokens = 5
        for spec in request.facets:
            reply.result_set.facets.add(field=spec.field, distinct_count=3)
        if request.relaxation == result_set_pb2.RELAXATION_MODE_RELAX_FILTER:
            reply.result_set.relaxed_fields.append("filter.price")
        by_relevance = request.order <= result_set_pb2.SORT_ORDER_RELEVANCE
        ids = list(self.titles) if by_relevance else sorted(self.titles, key=lambda product_id: product_id[::-1])
        return self._fill(reply, ids[: request.limit])

    async def FindSimilarProducts(self, request, context):
        await self._noted(request, context)
        if request.product_id not in self.titles:
            raise NotFound("the index has no such product", reason="PRODUCT_NOT_INDEXED")
        left_out = {request.product_id, *request.excluded_product_ids}
        ids = [product_id for product_id in self.titles if product_id not in left_out]
        return self._fill(retrieval_pb.FindSimilarProductsResponse(), ids[: request.limit])

    async def RecommendCandidates(self, request, context):
        """All products in order are close to the interest; of the extra ones those that are not excluded pass."""
        await self._noted(request, context)
        if self.index_away is not None:
            raise self.index_away
        reply = retrieval_pb.RecommendCandidatesResponse(degradations=self.degradations, index_version="v1")
        left_out = {*request.excluded_product_ids, *request.page_product_ids}
        seeds = [one.product_id for one in request.behaviours if one.product_id in self.titles]
        content = [one for one in self.titles if one not in left_out][: self.by_content] if seeds else []
        extras = [one for one in request.extra_product_ids if one in self.titles and one not in {*content, *left_out}]
        for product_id in [*content, *extras]:
            found = reply.found.add(summary=self._summary(product_id), is_by_content=product_id in content)
            found.candidate.product_id = product_id
            if seeds:
                found.candidate.scores.visitor = 0.5
                found.interest, found.interest_cosine, found.seed_product_id = 0, 0.5, seeds[0]
        reply.seed_summaries.extend(self._summary(product_id) for product_id in seeds)
        return reply

    async def GetSummaries(self, request, context):
        await self._noted(request, context)
        known = [product_id for product_id in request.product_ids if product_id in self.titles]
        return retrieval_pb.GetSummariesResponse(summaries=[self._summary(product_id) for product_id in known])

    async def UpsertProducts(self, request, context):
        await self._noted(request, context)
        results = [
            write_pb2.ProductWriteResult(product_id=p.id, outcome=write_pb2.WRITE_OUTCOME_CREATED, etag="1")
            for p in request.products
        ]
        return retrieval_pb.UpsertProductsResponse(results=results)

    async def DeleteProducts(self, request, context):
        await self._noted(request, context)
        results = []
        for product_id in request.product_ids:
            gone = self.titles.pop(product_id, None)
            outcome = write_pb2.WRITE_OUTCOME_DELETED if gone else write_pb2.WRITE_OUTCOME_NOT_FOUND
            results.append(write_pb2.ProductWriteResult(product_id=product_id, outcome=outcome))
        return retrieval_pb.DeleteProductsResponse(results=results)

    async def GetProduct(self, request, context):
        await self._noted(request, context)
        product = self._product(request.product_id)
        return retrieval_pb.GetProductResponse(product=product, index_state=retrieval_pb.INDEX_STATE_SEARCHABLE)

    async def UpdateOffers(self, request, context):
        await self._noted(request, context)
        reply = retrieval_pb.UpdateOffersResponse(degradations=self.degradations)
        for update in request.updates:
            known = update.product_id in self.titles
            outcome = write_pb2.WRITE_OUTCOME_UPDATED if known else write_pb2.WRITE_OUTCOME_NOT_FOUND
            reply.results.add(product_id=update.product_id, region=update.offer.region, outcome=outcome)
        return reply

    async def BatchGetProducts(self, request, context):
        await self._noted(request, context)
        products = [self._product(product_id) for product_id in request.product_ids]
        return retrieval_pb.BatchGetProductsResponse(products=products)

    async def ListProducts(self, request, context):
        await self._noted(request, context)
        if request.page_size < 0:
            raise invalid("page_size", "must be 0 or more", "OUT_OF_RANGE")
        after = sorted(product_id for product_id in self.titles if product_id > request.after_product_id)
        page = after[: request.page_size or 100]
        products = [self._product(product_id) for product_id in page]
        return retrieval_pb.ListProductsResponse(products=products, more=len(page) < len(after))


class FakeRanker(RankerServiceServicer):
    """Turns retrieval's order round: the last candidate comes first."""

    def __init__(self):
        self.requests = []
        self.error = None
        self.hang = False

    async def RankCandidates(self, request, context):
        self.requests.append(request)
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        reply = ranker_pb.RankCandidatesResponse()
        reply.policy.name, reply.policy.version = request.policy or "default", "abc"
        reply.factors.scorer = "formula"
        reply.factors.factors.add(name="relevance", role=explanation_pb2.FACTOR_ROLE_TERM)
        reply.factors.factors.add(name="business_weight", role=explanation_pb2.FACTOR_ROLE_MULTIPLIER)
        for place, candidate in enumerate(reversed(request.candidates)):
            relevance, weight = 1 / (3 + place), 1.1
            reply.ranked.add(
                product_id=candidate.product_id, score=relevance * weight, factor_values=[relevance, weight]
            )
        return reply

    async def RankRecommendations(self, request, context):
        self.requests.append(request)
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        reply = ranker_pb.RankRecommendationsResponse(feature_schema=1)
        reply.policy.name, reply.policy.version = request.policy or "recommend", "abc"
        reply.factors.scorer = "merge"
        reply.factors.factors.add(name="sources", role=explanation_pb2.FACTOR_ROLE_TERM)
        for place, one in enumerate(reversed(request.candidates)):
            ranked = reply.ranked.add(product_id=one.candidate.product_id, score=1 / (3 + place), propensity=0.5)
            ranked.factor_values.append(1 / (3 + place))
            ranked.place = ranker_pb.PLACE_KIND_SCORE
            ranked.features = f"of {one.candidate.product_id}".encode()
            ranked.reason.code = recommendation_pb2.REASON_CODE_VIEWED
            ranked.reason.product_id = one.sources[0].seed_product_id if one.sources else ""
            ranked.reason.text = f"{request.language_code} {dict(request.titles).get(ranked.reason.product_id, '')}"
        return reply


class FakeFeedback(FeedbackServiceServicer):
    """Keeps impressions and events in memory."""

    def __init__(self):
        self.impressions = []
        self.profile = feedback_pb.GetUserProfileResponse()
        self.related = {}
        """Products by seed."""
        self.popular = []
        self.events = []
        self.results = {}
        """Outcome by event id; accepted where there is none."""
        self.error = None
        """Raised by all but RecordImpressions."""
        self.profiles = []
        self.errors = []
        self.hang = False
        self.recorded = asyncio.Event()

    async def GetUserProfile(self, request, context):
        self.profiles.append(request)
        await self._trouble()
        return self.profile

    async def ListCoOccurring(self, request, context):
        await self._trouble()
        reply = feedback_pb.ListCoOccurringResponse()
        for seed in request.product_ids:
            found = reply.co_occurrences.add(product_id=seed)
            for place, product_id in enumerate(self.related.get(seed, ())):
                found.products.add(product_id=product_id, score=1 / (1 + place))
        return reply

    async def ListTrending(self, request, context):
        await self._trouble()
        reply = feedback_pb.ListTrendingResponse()
        for place, product_id in enumerate(self.popular):
            reply.products.add(product_id=product_id, score=1 / (1 + place))
        return reply

    async def GetProductStatistics(self, request, context):
        await self._trouble()
        reply = feedback_pb.GetProductStatisticsResponse()
        for product_id in request.product_ids:
            reply.statistics.add(product_id=product_id, popularity_score=1.5)
        return reply

    async def RecordEvents(self, request, context):
        await self._trouble()
        reply = feedback_pb.RecordEventsResponse()
        for one in request.events:
            self.events.append(one)
            outcome = self.results.get(one.event.event_id, user_event_pb2.EVENT_OUTCOME_ACCEPTED)
            reply.results.add(event_id=one.event.event_id, outcome=outcome)
        return reply

    async def _trouble(self):
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    async def RecordImpressions(self, request, context):
        if self.errors:
            raise self.errors.pop(0)
        self.impressions.extend(request.impressions)
        self.recorded.set()
        return feedback_pb.RecordImpressionsResponse(stored_count=len(request.impressions))


# --- the gateway, for the command line ---


class FakeGateway(GatewayServiceServicer):
    """A gateway with one catalogue in memory. Search finds the products whose title holds the query."""

    def __init__(self):
        self.products = {}
        self.failures = []
        """Raised by the next calls, one each."""
        self.calls = []
        self.traces = []
        """`traceparent` of each call, empty where there was none."""
        self.batches = []
        """Ids of each UpsertProducts that was accepted."""
        self.wait_until = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.seconds = 0.0
        """Time that each write takes."""
        self.degradations = []
        self.events = {}
        """By visitor and id."""
        self.recorded = []
        """Number of events of each RecordEvents that was accepted."""
        self.most_recorded = None
        """Number of RecordEvents that are accepted; the next ones are refused."""

    async def UpsertProducts(self, request, context):
        self._begin("UpsertProducts", context)
        ids = [product.id for product in request.products]
        if len(set(ids)) < len(ids) or len(ids) > 500:
            raise invalid("products", "1 to 500 products, each id at most once")
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.seconds)
        self.in_flight -= 1
        self.batches.append(ids)
        self.wait_until.append(request.wait_until)
        return gateway_pb.UpsertProductsResponse(
            results=[self._write(product) for product in request.products], degradations=self.degradations
        )

    async def DeleteProducts(self, request, context):
        self._begin("DeleteProducts", context)
        results = []
        for product_id in request.product_ids:
            known = self.products.pop(product_id, None) is not None
            outcome = write_pb2.WRITE_OUTCOME_DELETED if known else write_pb2.WRITE_OUTCOME_NOT_FOUND
            results.append(write_pb2.ProductWriteResult(product_id=product_id, outcome=outcome))
        return gateway_pb.DeleteProductsResponse(results=results)

    async def GetProduct(self, request, context):
        self._begin("GetProduct", context)
        if request.product_id not in self.products:
            raise NotFound("there is no such product", reason="PRODUCT_NOT_FOUND")
        return gateway_pb.GetProductResponse(product=self.products[request.product_id])

    async def Search(self, request, context):
        self._begin("Search", context)
        self.last_search = request
        found = sorted((p for p in self.products.values() if request.query in p.title.lower()), key=lambda p: p.id)
        start = int(request.page_token or 0)
        end = start + (request.page_size or 20)
        return gateway_pb.SearchResponse(
            results=[self._result(i, p) for i, p in enumerate(found[start:end], start=start + 1)],
            next_page_token=str(end) if end < len(found) else "",
            attribution_token="attribution-token-of-this-list",
            total_size=len(found),
            policy="default@1a2b3c4d5e6f",
            degradations=self.degradations,
        )

    async def Recommend(self, request, context):
        """The products that the visitor did nothing with, because of the last one that was something done with."""
        self._begin("Recommend", context)
        self.last_recommend = request
        touched = [
            product.product_id
            for event in self.events.values()
            if event.visitor_id == request.visitor_id
            for product in event.products
        ] + [action.product_id for action in request.session]
        left_out = {*touched, *request.product_ids, *request.excluded_product_ids}
        shown = [product for name, product in sorted(self.products.items()) if name not in left_out]
        start = int(request.page_token or 0)
        end = start + (request.page_size or 20)
        return gateway_pb.RecommendResponse(
            recommendations=[
                self._recommendation(place, product, touched)
                for place, product in enumerate(shown[start:end], start + 1)
            ],
            next_page_token=str(end) if end < len(shown) else "",
            attribution_token="attribution-token-of-this-list",
            total_size=len(shown),
            policy="recommend@1a2b3c4d5e6f",
            degradations=self.degradations,
            behaviour_count=len(touched),
        )

    async def RecordEvents(self, request, context):
        self._begin("RecordEvents", context)
        if not 0 < len(request.events) <= 1_000:
            raise invalid("events", "1 to 1,000 events")
        if self.most_recorded is not None and len(self.recorded) >= self.most_recorded:
            raise invalid("catalog", "is closed for the day")
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.seconds)
        self.in_flight -= 1
        self.recorded.append(len(request.events))
        return gateway_pb.RecordEventsResponse(results=[self._record(event) for event in request.events])

    async def GetProductStatistics(self, request, context):
        self._begin("GetProductStatistics", context)
        return gateway_pb.GetProductStatisticsResponse(
            statistics=[self._statistics(product_id) for product_id in request.product_ids]
        )

    def _begin(self, name, context):
        self.calls.append(name)
        self.traces.append(dict(context.invocation_metadata()).get("traceparent", ""))
        if self.failures:
            raise self.failures.pop(0)

    def _write(self, product):
        result = write_pb2.ProductWriteResult(product_id=product.id)
        if not product.title:
            result.outcome = write_pb2.WRITE_OUTCOME_REJECTED
            result.violations.add(field="title", reason="REQUIRED", description="is required")
            return result
        before = self.products.get(product.id)
        if before is None:
            result.outcome = write_pb2.WRITE_OUTCOME_CREATED
        else:
            same = before == product
            result.outcome = write_pb2.WRITE_OUTCOME_UNCHANGED if same else write_pb2.WRITE_OUTCOME_UPDATED
        self.products[product.id] = product
        return result

    def _record(self, event):
        result = user_event_pb2.EventResult(event_id=event.event_id)
        before = self.events.get((event.visitor_id, event.event_id))
        if not event.visitor_id:
            result.outcome = user_event_pb2.EVENT_OUTCOME_REJECTED
            result.violations.add(field="visitor_id", reason="REQUIRED", description="must be given")
        elif before is not None:
            same = before == event
            result.outcome = user_event_pb2.EVENT_OUTCOME_DUPLICATE if same else user_event_pb2.EVENT_OUTCOME_CONFLICT
        else:
            self.events[event.visitor_id, event.event_id] = event
            result.outcome = user_event_pb2.EVENT_OUTCOME_ACCEPTED
        return result

    def _statistics(self, product_id):
        found = gateway_pb.ProductStatistics(product_id=product_id, impression_count=10, click_through_rate=0.125)
        counts = {}
        for event in self.events.values():
            for product in event.products:
                if product.product_id == product_id:
                    count, units = counts.get(event.type, (0, 0))
                    counts[event.type] = (count + 1, units + (product.quantity or 1))
        for event_type, (count, units) in sorted(counts.items()):
            found.actions.add(type=event_type, count=count, quantity=units)
        return found

    def _recommendation(self, position, product, touched):
        result = self._result(position, product)
        made = gateway_pb.Recommendation(
            product=result.product, position=position, score=result.score, explanation=result.explanation
        )
        if touched:
            made.reason.code = recommendation_pb2.REASON_CODE_VIEWED
            made.reason.product_id = touched[-1]
            made.reason.text = f"because you viewed {touched[-1]}"
        else:
            made.reason.code, made.reason.text = recommendation_pb2.REASON_CODE_POPULAR, "popular"
        return made

    def _result(self, position, product):
        result = gateway_pb.SearchResult(position=position, score=1 / position)
        result.product.id = product.id
        result.product.title = product.title
        result.product.brand = product.brand
        result.product.categories.extend(product.categories)
        if product.offers:
            result.product.offer.CopyFrom(product.offers[0])
        result.explanation.scorer = "formula"
        result.explanation.factors.add(name="cosine", value=0.85, role=explanation_pb2.FACTOR_ROLE_INPUT)
        result.explanation.factors.add(name="rating", value=float("nan"), role=explanation_pb2.FACTOR_ROLE_INPUT)
        result.explanation.factors.add(name="similarity", value=0.5, role=explanation_pb2.FACTOR_ROLE_TERM)
        result.explanation.factors.add(name="lexical", value=0.25, role=explanation_pb2.FACTOR_ROLE_TERM)
        result.explanation.factors.add(name="sales", value=1.2, role=explanation_pb2.FACTOR_ROLE_MULTIPLIER)
        return result


# --- the encoder, for retrieval ---


class FakeEncoder(EncoderServiceServicer):
    """Texts that share words have similar vectors; like a real model's, all of them share one large direction.

    Words of `same` mean the same: {"milch": "milk"} makes it cross-lingual.
    """

    DIMS = 64

    def __init__(self):
        self.revision = "fake-1"
        self.same = {}
        self.refused = set()
        """A call that holds one of these texts' first words is INVALID_ARGUMENT."""
        self.error = None
        self.hang = False
        self.requests = []
        self.mean = np.full(self.DIMS, 0.9 / np.sqrt(self.DIMS), np.float32)

    @property
    def documents(self):
        """Texts of all products that were encoded, in order."""
        return [t for r in self.requests if r.purpose == encoder_pb.PURPOSE_DOCUMENT for t in r.texts]

    async def EncodeTexts(self, request, context):
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        if request.model_revision not in ("", self.revision):
            raise FailedPrecondition("another model is loaded", reason="MODEL_NOT_LOADED")
        if any(text.split(".")[0] in self.refused for text in request.texts):
            raise invalid("texts", "refused")
        self.requests.append(request)
        half = request.vector_type == vector_pb2.VECTOR_TYPE_FLOAT16
        rows = np.stack([self.vector(text) for text in request.texts]).astype("<f2" if half else "<f4")
        reply = encoder_pb.EncodeTextsResponse()
        reply.encodings.extend(encoder_pb.TextEncoding(token_count=1) for _ in request.texts)
        reply.vectors.data, reply.vectors.type, reply.vectors.dims = rows.tobytes(), request.vector_type, self.DIMS
        self._name(reply.usage.model)
        reply.usage.tokens = len(request.texts)
        return reply

    async def GetModel(self, request, context):
        if self.error is not None:
            raise self.error
        reply = encoder_pb.GetModelResponse(normalised=True)
        self._name(reply.model)
        reply.mean_vector.data, reply.mean_vector.dims = self.mean.tobytes(), self.DIMS
        return reply

    def vector(self, text):
        vector = np.zeros(self.DIMS)
        for word in re.findall(r"\w+", text.lower()):
            digest = hashlib.sha256(self.same.get(word, word).encode()).digest()
            vector += np.random.default_rng(digest[0] + 256 * digest[1]).standard_normal(self.DIMS)
        norm = np.linalg.norm(vector)
        vector = self.mean + (0.4 * vector / norm if norm else 0)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def _name(self, model):
        model.name, model.revision, model.dims = "fake", self.revision, self.DIMS
