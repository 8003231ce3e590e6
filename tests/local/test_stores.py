"""What runs between the start of Postgres and that of its owners."""

import os

import pytest

from local.processes import LocalError
from local.stores import replay_erasures

AWAY = "postgresql://feedback:secret@127.0.0.1:1/feedback"


def environment(directory):
    return {"PATH": os.environ["PATH"], "ZHIYIN_ERASURE_LOG": str(directory), "ZHIYIN_DATABASE_URL": AWAY}


async def test_without_a_log_of_erasures_nothing_is_run(stack_directory):
    log = stack_directory / "log"
    await replay_erasures(environment(stack_directory / "absent"), log, 60)
    (stack_directory / "empty").mkdir()
    await replay_erasures(environment(stack_directory / "empty"), log, 60)
    assert not log.exists()


async def test_erasures_that_cannot_be_replayed_keep_feedback_from_starting(stack_directory):
    kept = stack_directory / "erasures"
    kept.mkdir()
    (kept / "1.erasures.jsonl").write_text("no erasure\nno erasure\n")
    with pytest.raises(LocalError, match="the replay of erasures failed"):
        await replay_erasures(environment(kept), stack_directory / "log", 60)
