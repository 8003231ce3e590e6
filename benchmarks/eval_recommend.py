"""`make eval-recommend`: what the running services recommend, beside single sources and the plain reference.

Every set is imported by title, its histories are recorded as events, and when all of them are counted the services are
asked for a sample of visitors, whose own products are excluded. NDCG@10 and Recall@10 are of the full ranking.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import grpc

from benchmarks import machine
from benchmarks.eval_recommend_lists import some_visitors
from benchmarks.eval_recommend_questions import BEAUTY, SEED, Evaluation, Sizes
from benchmarks.eval_recommend_report import publish
from benchmarks.eval_recommend_shop import STEP, open_shop
from benchmarks.recommend_data import GROCERY_PRODUCTS, DataError, amazon_beauty, completejourney
from cli.running import CommandFailed
from local.processes import LocalError


def data_folder() -> Path:
    """Where sets lie that are no packages."""
    named = os.environ.get("ZHIYIN_EVAL_DATA")
    return Path(named) if named else Path(__file__).parents[2] / "shared/data"


async def _run(names: Sequence[str], sizes: Sizes) -> None:
    others, begun = machine.OtherProcesses(), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="zhiyin-eval-") as directory:
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - started by root, Postgres runs as another user
        async with open_shop(Path(directory)) as shop:
            evaluation = Evaluation(shop, sizes)
            if "completejourney" in names:
                data = completejourney(sizes.groceries)
                await evaluation.groceries(some_visitors(data, sizes.households, SEED))
            if BEAUTY in names:
                await _beauty(evaluation)
    evaluation.remarks.append(f"{time.perf_counter() - begun:.0f} s in all")
    publish(evaluation.lines, evaluation.goals, evaluation.remarks, machine.describe("its default", others.share()))


async def _beauty(evaluation: Evaluation) -> None:
    folder = data_folder() / BEAUTY
    if folder.is_dir():
        await evaluation.beauty(amazon_beauty(folder))
    else:
        evaluation.remarks.append("amazon_beauty is left out: name the folder above it by ZHIYIN_EVAL_DATA")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eval_recommend", description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=("completejourney", BEAUTY), default=["completejourney", BEAUTY])
    parser.add_argument("--visitors", type=int, default=2_000, help="asked for at most, for each question")
    parser.add_argument("--households", type=int, default=600, help="of completejourney, whose purchases are replayed")
    parser.add_argument("--groceries", type=int, default=GROCERY_PRODUCTS, help="products of completejourney")
    parser.add_argument("--step-minutes", type=float, default=STEP / timedelta(minutes=1), help="between two events")
    parser.add_argument("--no-cold", action="store_true", help="leave cold products and cold visitors out")
    return parser.parse_args()


def main() -> int:
    """0, also where a goal is missed: this measures. 1 where it could not."""
    given = _arguments()
    step = timedelta(minutes=given.step_minutes)
    sizes = Sizes(given.visitors, given.households, given.groceries, step, not given.no_cold)
    try:
        asyncio.run(_run(given.sets, sizes))
    except (LocalError, CommandFailed, DataError, TimeoutError, grpc.RpcError) as exc:
        sys.stderr.write(f"eval-recommend could not run: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
