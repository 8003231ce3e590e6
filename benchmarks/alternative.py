"""What one would write in an afternoon: FastAPI, sentence-transformers, Qdrant in local mode, cosine times log(sales).

One process holds everything: `python -m benchmarks.alternative --model DIRECTORY --products FILE --port N`, FILE with
one JSON object a line (`id`, `title`, `text`, `sales`). It is written with care where care costs nothing: payloads hold
only what results show, the model and the index are warm before the first request, and the process keeps no access log.
"""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams
from sentence_transformers import SentenceTransformer

CANDIDATES: Final = 200
"""Scored for every search, as many as the gateway asks for by default."""
_COLLECTION: Final = "products"


class Result(BaseModel):
    """One place of the list."""

    id: str
    title: str
    score: float


class Results(BaseModel):
    """The list."""

    results: list[Result]


class Shop:
    """A model and the products that it finds."""

    def __init__(self, model: SentenceTransformer, products: Sequence[dict[str, Any]]) -> None:
        self._model = model
        self._index = QdrantClient(":memory:")
        texts = [product["text"] for product in products]
        vectors = model.encode(texts, prompt_name="document", normalize_embeddings=True, show_progress_bar=False)
        size = vectors.shape[1]
        self._index.create_collection(_COLLECTION, vectors_config=VectorParams(size=size, distance=Distance.COSINE))
        self._index.upsert(
            _COLLECTION,
            [
                PointStruct(
                    id=number, vector=vector.tolist(), payload={k: product[k] for k in ("id", "title", "sales")}
                )
                for number, (product, vector) in enumerate(zip(products, vectors, strict=True))
            ],
        )

    def search(self, query: str, size: int) -> Results:
        """The `size` best of the candidates nearest in meaning."""
        vector = self._model.encode(query, prompt_name="query", normalize_embeddings=True, show_progress_bar=False)
        points = self._index.query_points(_COLLECTION, query=vector.tolist(), limit=CANDIDATES).points
        results = [_result(point.score, point.payload or {}) for point in points]
        return Results(results=sorted(results, key=lambda result: -result.score)[:size])


def application(shop: Shop) -> FastAPI:
    """The HTTP API."""
    app = FastAPI()

    @app.get("/search")
    async def search(query: str, size: int = 20) -> Results:
        # Not a plain `def`: FastAPI would run up to 40 of them at once, each with its own threads in the model, and
        # answers fewer requests a second.
        return shop.search(query, size)

    return app


def _result(cosine: float, payload: dict[str, Any]) -> Result:
    return Result(id=payload["id"], title=payload["title"], score=cosine * math.log(max(payload["sales"], 2)))


def main() -> None:
    """Loads, indexes, warms up and serves."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alternative")
    parser.add_argument("--model", required=True, help="directory of a sentence-transformers model")
    parser.add_argument("--products", type=Path, required=True, help="JSON lines")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    lines = given.products.read_text(encoding="utf-8").splitlines()
    shop = Shop(SentenceTransformer(given.model, device="cpu"), [json.loads(line) for line in lines])
    shop.search("warm up", 1)
    uvicorn.run(application(shop), host="127.0.0.1", port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
