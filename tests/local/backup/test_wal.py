"""Names of segments. The expected ones are Postgres' own: `SELECT pg_walfile_name(lsn)` on a server of 18.6."""

import pytest

from local.backup.wal import Archive, Segment

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("timeline", "lsn", "size", "name"),
    [
        (1, "0/2000028", 16 * MIB, "000000010000000000000002"),
        (1, "0/FFFFFFFF", 16 * MIB, "0000000100000000000000FF"),
        (1, "1/0", 16 * MIB, "000000010000000100000000"),
        (10, "16/B374D848", 16 * MIB, "0000000A00000016000000B3"),
        (1, "16/B374D848", MIB, "000000010000001600000B37"),
    ],
)
def test_a_position_is_in_the_segment_that_postgres_names(timeline, lsn, size, name):
    segment = Segment.holding(timeline, lsn, size)
    assert segment.name == name
    assert Segment.named(name, size) == segment


async def test_postgres_names_the_same_segments(postgres_server):
    import asyncpg

    connection = await asyncpg.connect(postgres_server.url())
    # Postgres counts the first byte of a segment to the one before.
    for lsn in ("0/1000001", "0/2000028", "1/1", "16/B374D848", "FFFF/1"):
        name = await connection.fetchval(f"SELECT pg_walfile_name('{lsn}')")
        assert Segment.holding(1, lsn, 16 * MIB).name == name
    await connection.close()


def test_the_segment_after_the_last_of_a_high_word_begins_the_next():
    assert Segment.named("0000000100000000000000FF", 16 * MIB).following.name == "000000010000000100000000"


@pytest.mark.parametrize(
    "name", ["lock", "00000002.history", "000000010000000000000002.gz", "00000001000000000000000g"]
)
def test_other_files_are_no_segments(name):
    assert Segment.named(name, 16 * MIB) is None


def archive_of(directory, *names, size=MIB):
    for name in names:
        (directory / name).write_bytes(bytes(size))
    return Archive.of([directory], MIB)


def segment(number):
    return Segment(1, number, MIB)


def test_the_first_missing_segment_is_the_one_that_breaks_the_run(tmp_path):
    archive = archive_of(tmp_path, *[segment(number).name for number in (3, 4, 6, 7)])
    assert archive.unbroken_from(segment(3)) == [segment(3), segment(4)]
    assert archive.first_missing_from(segment(3)) == segment(5)
    assert archive.first_missing_from(segment(6)) is None
    assert archive.first_missing_from(segment(2)) == segment(2)
    assert archive.first_missing_from(segment(8)) is None


def test_a_partial_segment_counts_unless_there_is_the_complete_one_or_it_has_not_its_size(tmp_path):
    three, four, five = (segment(number).name for number in (3, 4, 5))
    archive_of(tmp_path, f"{five}.partial", size=100)
    archive = archive_of(tmp_path, three, f"{three}.partial", f"{four}.partial")
    assert {s.name: path.name for s, path in archive.files.items()} == {three: three, four: f"{four}.partial"}
