import uuid
from datetime import UTC, datetime

import pytest

from services.common.errors import Unavailable
from services.feedback.adapters.erasure_log import DirectoryErasureLog, logged_erasures
from services.feedback.erasure import LoggedErasure


def erasure(number=1):
    return LoggedErasure(uuid.uuid4(), datetime(2026, 11, 25, 12, tzinfo=UTC), [bytes([number]) * 32])


async def test_what_several_processes_note_is_read_back(tmp_path):
    noted = [erasure(number) for number in range(4)]
    first, second = DirectoryErasureLog(tmp_path / "log"), DirectoryErasureLog(tmp_path / "log")
    for one in noted[:2]:
        await first.append(one)
    for one in noted[2:]:
        await second.append(one)
    found = list(logged_erasures(tmp_path / "log"))
    assert sorted(found, key=lambda one: one.marks) == noted


async def test_a_line_that_was_cut_off_is_passed_over_and_hides_no_other(tmp_path):
    log = DirectoryErasureLog(tmp_path)
    before = erasure()
    await log.append(before)
    (path,) = tmp_path.iterdir()
    with path.open("a") as file:
        file.write('{"erasure_id": "12')
    after = erasure(2)
    await DirectoryErasureLog(tmp_path).append(after)
    assert {one.erasure_id for one in logged_erasures(tmp_path)} == {before.erasure_id, after.erasure_id}


async def test_a_log_that_cannot_be_written_says_so_and_works_again_later(tmp_path):
    directory = tmp_path / "log"
    directory.write_text("in the way")
    log = DirectoryErasureLog(directory)
    with pytest.raises(Unavailable) as error:
        await log.append(erasure())
    assert error.value.reason == "ERASURE_LOG_UNAVAILABLE"
    directory.unlink()
    await log.append(erasure())
    assert len(list(logged_erasures(directory))) == 1


async def test_something_else_in_the_log_is_an_error(tmp_path):
    (tmp_path / "x.erasures.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match="no erasure"):
        list(logged_erasures(tmp_path))
