"""`python -m services.ranker` runs the ranker."""

from services.common.server import run
from services.ranker.config import RankerSettings
from services.ranker.wiring import open_service

if __name__ == "__main__":
    run("ranker", RankerSettings, open_service)
