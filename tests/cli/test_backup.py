"""`zhiyin backup` and `zhiyin restore`, called as a person would, on a real server."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time

import asyncpg
import pytest
import typer
from typer.testing import CliRunner

from cli.backup_command import backup, restore
from local.postgres import PostgresServer

app = typer.Typer()
app.add_typer(backup, name="backup")
app.command()(restore)


def call(*words, **environment):
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1", "ZHIYIN_DATABASE_URL": None})
    return runner.invoke(app, [str(word) for word in words], env=environment)


async def execute(server, statement):
    connection = await asyncpg.connect(server.url())
    found = await connection.fetchval(statement)
    await connection.close()
    return found


@pytest.fixture
def server(stack_directory):
    server = PostgresServer(stack_directory / "old/postgres", durable=False)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


def test_the_whole_way_from_a_running_stack_to_a_fresh_directory(server, stack_directory):
    old, to, fresh = stack_directory / "old", stack_directory / "backup", stack_directory / "fresh"
    asyncio.run(execute(server, "CREATE TABLE products AS SELECT 'milk' AS id"))
    for _ in range(2):
        made = call("backup", "base", "--to", to, "--data-dir", old)
        assert made.exit_code == 0, made.stderr
        assert re.search(r"base backup \S+Z: [\d,]+ bytes, checked", made.stderr)
    pruned = call("backup", "prune", "--from", to, "--keep", 1)
    assert pruned.exit_code == 0
    assert re.search(r"removed \d{8}T\d{6}\.\d{6}Z", pruned.stderr)

    listed = json.loads(call("backup", "list", "--from", to, "--json").stdout)
    [row] = listed["base_backups"]
    assert row["first_missing_segment"] is None
    assert row["name"] in call("backup", "list", "--from", to).stdout

    restored = call("restore", "--from", to, "--to", fresh, "--latest")
    assert restored.exit_code == 0, restored.stderr
    assert f"zhiyin up --data-dir {fresh}" in restored.stderr
    assert (fresh / "postgres/password").read_text() not in restored.output


def test_the_archive_runs_until_it_is_told_to_stop(server, stack_directory):
    to = stack_directory / "backup"
    program = "import sys; from tests.cli.test_backup import app; app(sys.argv[1:])"
    words = ["backup", "archive", "--to", to, "--data-dir", stack_directory / "old"]
    environment = {name: value for name, value in os.environ.items() if name != "ZHIYIN_DATABASE_URL"}
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stderr=subprocess.PIPE, text=True, env=environment
    ) as archive:
        deadline = time.monotonic() + 30
        while not list((to / "wal").glob("*.partial")) and time.monotonic() < deadline:
            assert archive.poll() is None
            time.sleep(0.05)
        archive.send_signal(signal.SIGTERM)
        assert archive.wait(20) == 0
        assert "The archive is stopped" in archive.stderr.read()
    slot = "SELECT active FROM pg_replication_slots WHERE slot_name = 'zhiyin_archive'"
    assert asyncio.run(execute(server, slot)) is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--time", "yesterday"], "no time of ISO 8601"),
        (["--time", "2026-01-01T00:00:00"], "names no zone"),
        (["--time", "9999-01-01T00:00:00Z"], "yet to come"),
        (["--time", "2026-01-01T00:00:00Z", "--latest"], "either --time or --latest"),
        ([], "either --time or --latest"),
    ],
)
def test_a_restore_without_a_clear_target_is_a_wrong_call(tmp_path, words, message):
    result = call("restore", "--from", tmp_path, "--to", tmp_path / "fresh", *words)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["backup", "list", "--from"],
        ["backup", "prune", "--keep", 1, "--from"],
        ["restore", "--latest", "--to", "/nowhere/fresh", "--from"],
    ],
)
def test_a_directory_that_holds_no_backups_is_told_and_left_as_it_is(tmp_path, words):
    result = call(*words, tmp_path)
    assert result.exit_code == 1
    assert f"{tmp_path} is no backup directory" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_told(server, stack_directory):
    (stack_directory / "file").touch()
    to = stack_directory / "file/backup"
    result = call("backup", "base", "--to", to, "--data-dir", stack_directory / "old")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"{to}: Not a directory\n")


def test_a_server_that_does_not_run_is_told(tmp_path):
    result = call("backup", "base", "--to", tmp_path / "backup", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert f"no server postgres runs in {tmp_path}" in result.stderr


def test_a_server_of_the_operator_is_named_by_the_environment_and_its_password_is_not_shown(tmp_path):
    url = "postgresql://shop:secret-word@127.0.0.1:1/shop"
    result = call("backup", "base", "--to", tmp_path / "backup", ZHIYIN_DATABASE_URL=url)
    assert result.exit_code == 1
    assert "the server at 127.0.0.1:1 cannot be backed up" in result.stderr
    assert "secret-word" not in result.output


def test_a_wrong_setting_is_named(tmp_path):
    result = call("restore", "--latest", "--from", tmp_path, "--to", tmp_path / "fresh", ZHIYIN_RESTORE_SECONDS="long")
    assert result.exit_code == 1
    assert "ZHIYIN_RESTORE_SECONDS" in result.stderr
