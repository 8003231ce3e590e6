"""Stand-ins for collaborators, passed in by the tests. Servicers among them are served by a real server."""

import asyncio

from services.common.errors import NotFound
from zhiyin.common.v1 import explanation_pb2, product_pb2, write_pb2
from zhiyin.feedback.v1 import feedback_service_pb2 as feedback_pb
from zhiyin.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceServicer
from zhiyin.ranker.v1 import ranker_service_pb2 as ranker_pb
from zhiyin.ranker.v1.ranker_service_pb2_grpc import RankerServiceServicer
from zhiyin.retrieval.v1 import retrieval_service_pb2 as retrieval_pb
from zhiyin.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceServicer

# --- peers of the gateway ---


class FakeRetrieval(RetrievalServiceServicer):
    """Finds `titles` in their order; forgets what is deleted; can refuse or hang."""

    def __init__(self):
        self.titles = {f"p{number:03}": f"Product {number}" for number in range(1, 46)}
        self.requests = []
        self.degradations = []
        self.error = None
        self.hang = False

    async def _noted(self, request):
        self.requests.append(request)
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    def _summary(self, product_id):
        return product_pb2.ProductSummary(id=product_id, title=self.titles[product_id])

    async def SearchCandidates(self, request, context):
        await self._noted(request)
        reply = retrieval_pb.SearchCandidatesResponse(degradations=self.degradations, index_version="v1")
        reply.usage.tokens = 5
        for product_id in list(self.titles)[: request.limit]:
            found = reply.found.add(summary=self._summary(product_id))
            found.candidate.product_id = product_id
            found.candidate.scores.cosine = 0.8
        return reply

    async def GetSummaries(self, request, context):
        await self._noted(request)
        known = [product_id for product_id in request.product_ids if product_id in self.titles]
        return retrieval_pb.GetSummariesResponse(summaries=[self._summary(product_id) for product_id in known])

    async def UpsertProducts(self, request, context):
        await self._noted(request)
        results = [
            write_pb2.ProductWriteResult(product_id=p.id, outcome=write_pb2.WRITE_OUTCOME_CREATED, etag="1")
            for p in request.products
        ]
        return retrieval_pb.UpsertProductsResponse(results=results)

    async def DeleteProducts(self, request, context):
        await self._noted(request)
        results = []
        for product_id in request.product_ids:
            gone = self.titles.pop(product_id, None)
            outcome = write_pb2.WRITE_OUTCOME_DELETED if gone else write_pb2.WRITE_OUTCOME_NOT_FOUND
            results.append(write_pb2.ProductWriteResult(product_id=product_id, outcome=outcome))
        return retrieval_pb.DeleteProductsResponse(results=results)

    async def GetProduct(self, request, context):
        await self._noted(request)
        if request.product_id not in self.titles:
            raise NotFound("no such product", reason="PRODUCT_NOT_FOUND")
        product = product_pb2.Product(id=request.product_id, title=self.titles[request.product_id], etag="1")
        return retrieval_pb.GetProductResponse(product=product)


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


class FakeFeedback(FeedbackServiceServicer):
    """Keeps impressions in memory."""

    def __init__(self):
        self.impressions = []
        self.profiles = []
        self.errors = []
        self.hang = False
        self.recorded = asyncio.Event()

    async def GetUserProfile(self, request, context):
        self.profiles.append(request)
        if self.hang:
            await asyncio.Event().wait()
        return feedback_pb.GetUserProfileResponse()

    async def RecordImpressions(self, request, context):
        if self.errors:
            raise self.errors.pop(0)
        self.impressions.extend(request.impressions)
        self.recorded.set()
        return feedback_pb.RecordImpressionsResponse(stored_count=len(request.impressions))
