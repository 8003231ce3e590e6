"""`zhiyin up` and `zhiyin demo` short of a whole stack, which the end-to-end tests start."""

import asyncio
import os
import signal
from types import SimpleNamespace

import pytest

from cli.stack_session import ended_by_signals, stack_settings
from cli.up_command import variables
from local.directories import locked


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_cancels_the_command_so_that_it_drains_what_it_holds(number):
    drained = []

    async def command():
        try:
            with ended_by_signals():
                os.kill(os.getpid(), number)
                await asyncio.sleep(10)
        finally:
            drained.append(number)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(command())
    assert drained == [number]


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_second_stack_on_one_directory_says_that_one_runs_already(zhiyin, tmp_path, command):
    with locked(tmp_path):
        result = zhiyin(command, "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert f"a stack runs already: {tmp_path} is in use by process {os.getpid()}" in result.stderr


def test_a_wrong_setting_of_the_stack_is_named(zhiyin, monkeypatch):
    monkeypatch.setenv("ZHIYIN_QDRANT_PORT", "many")
    result = zhiyin("up")
    assert result.exit_code == 1
    assert "ZHIYIN_QDRANT_PORT" in result.stderr


def test_the_command_line_says_more_than_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ZHIYIN_DATA_DIR", "/elsewhere")
    monkeypatch.setenv("ZHIYIN_GATEWAY_PORT", "1")
    settings = stack_settings(tmp_path, 2)
    assert (settings.data_dir, settings.gateway_port) == (tmp_path, 2)
    # A port that was asked for is not replaced by a free one.
    assert "gateway_port" in settings.model_fields_set
    assert str(stack_settings(None, None).data_dir) == "/elsewhere"


@pytest.mark.parametrize(
    ("addresses", "lines"),
    [
        ({"gateway": "127.0.0.1:50050", "spans": "127.0.0.1:4317"}, []),
        ({"gateway": "127.0.0.1:50050"}, []),
        ({"gateway": "127.0.0.1:1", "spans": "127.0.0.1:4317"}, ["export ZHIYIN_GATEWAY=127.0.0.1:1"]),
        ({"gateway": "127.0.0.1:50050", "spans": "127.0.0.1:2"}, ["export ZHIYIN_SPANS=127.0.0.1:2"]),
    ],
)
def test_addresses_that_other_commands_do_not_expect_are_told_as_variables(addresses, lines):
    assert variables(SimpleNamespace(addresses=addresses)) == lines
