"""The one place where the ranker's parts are put together."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from services.common.server import Registration
from services.ranker.adapters.policy_files import read_policies
from services.ranker.candidates import Limits
from services.ranker.config import RankerSettings
from services.ranker.policy import PolicyBook
from services.ranker.ranking import Ranker
from services.ranker.servicer import RankerServicer
from zhiyin.ranker.v1 import ranker_service_pb2 as pb
from zhiyin.ranker.v1 import ranker_service_pb2_grpc as rpc

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["RankerService"].full_name


@asynccontextmanager
async def open_service(settings: RankerSettings) -> AsyncIterator[Sequence[Registration]]:
    """The ranker, wired; it holds nothing that has to be closed.

    Raises:
        SettingsError: a policy file is not valid.
    """
    ranker = Ranker(PolicyBook(read_policies(settings.policy_directory)), time.time)
    servicer = RankerServicer(ranker, Limits(settings.max_candidates, settings.max_vector_dims))
    yield [Registration(SERVICE_NAME, lambda server: rpc.add_RankerServiceServicer_to_server(servicer, server))]
