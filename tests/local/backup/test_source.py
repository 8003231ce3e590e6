"""Which server is backed up, and that its password stays out of command lines and messages."""

import pytest

from local.backup.programs import Programs
from local.backup.source import Source, stack_source
from local.config import StackSettings
from local.processes import LocalError


@pytest.mark.parametrize(
    ("url", "connection", "password"),
    [
        ("postgresql://a:s%2Fecret@db:5433/shop", "postgresql://a@db:5433/shop", "s/ecret"),
        ("postgresql://a@db/shop", "postgresql://a@db/shop", None),
        ("postgresql://db/shop?user=a&password=s&sslmode=require", "postgresql://db/shop?user=a&sslmode=require", "s"),
        ("postgresql://a%40b:s@[::1]:5433/shop", "postgresql://a%40b@[::1]:5433/shop", "s"),
    ],
)
def test_the_password_goes_from_the_url_to_the_environment(url, connection, password):
    source = Source(url)
    assert source.connection == connection
    assert source.environment({}).get("PGPASSWORD") == password
    assert source.environment({"HOME": "/root"})["HOME"] == "/root"


def test_without_a_password_in_the_url_the_operators_own_goes_on():
    assert Source("postgresql://a@db/shop").environment({"PGPASSWORD": "own"})["PGPASSWORD"] == "own"


@pytest.mark.parametrize("url", ["postgresql://a:sec/ret@db/shop", "mysql://a:secret@db/shop", "secret"])
def test_a_url_that_cannot_be_read_is_refused_without_a_word_of_it(url):
    with pytest.raises(LocalError, match="ZHIYIN_DATABASE_URL") as caught:
        Source(url)
    assert "sec" not in str(caught.value)
    assert "secret" not in repr(caught.value.__cause__)


def test_a_source_shows_no_password():
    assert "secret" not in repr(Source("postgresql://a:secret@db/shop"))


async def test_the_running_server_of_a_stack_is_found(postgres_server, session_directory):
    source = stack_source(StackSettings(data_dir=session_directory), "postgres")
    assert source.url == postgres_server.url()
    async with source.connect() as connection:
        assert await connection.fetchval("SELECT 1") == 1


def test_a_server_of_the_operator_goes_before(tmp_path):
    settings = StackSettings(data_dir=tmp_path, database_url="postgresql://a:s@db:1/shop")
    assert stack_source(settings, "postgres").address == "db:1"


def test_a_server_that_does_not_run_is_told_with_those_that_are_there(tmp_path):
    (tmp_path / "postgres-catalogue").mkdir()
    (tmp_path / "postgres-catalogue/password").touch()
    with pytest.raises(LocalError, match=r"no server postgres runs in .*There is postgres-catalogue"):
        stack_source(StackSettings(data_dir=tmp_path), "postgres")


async def test_programs_of_the_operator_are_used_where_they_are_named(tmp_path):
    own = tmp_path / "pg_basebackup"
    own.write_text("#!/bin/sh\necho of the operator; exit 3\n")
    own.chmod(0o755)
    with pytest.raises(LocalError, match=r"pg_basebackup failed:\nof the operator"):
        await Programs(tmp_path).run("pg_basebackup", [], log=tmp_path / "log", seconds=10)
    with pytest.raises(LocalError, match=f"there is no {tmp_path}/pg_checksums"):
        await Programs(tmp_path).run("pg_checksums", [], log=tmp_path / "log", seconds=10)


async def test_a_program_that_takes_too_long_is_ended(tmp_path):
    slow = tmp_path / "pg_verifybackup"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(LocalError, match=r"was not done within 0\.2 s"):
        await Programs(tmp_path).run("pg_verifybackup", [], log=tmp_path / "log", seconds=0.2)
