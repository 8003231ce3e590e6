"""What `zhiyin up` does."""

import asyncio
from pathlib import Path

from cli.options import DEFAULT_GATEWAY
from cli.output import note
from cli.stack_session import ended_by_signals, running_stack, show_addresses, stack_settings
from cli.trace_command import DEFAULT_SPANS
from local.stack import Stack


async def keep_up(data_dir: Path | None, port: int | None) -> int:
    """Starts the stack and stays until a signal ends it; returns the exit status.

    Raises:
        CommandFailed: a part did not start, or a stack runs already on the same directory.
    """
    settings = stack_settings(data_dir, port)
    try:
        with ended_by_signals():
            async with running_stack(settings) as stack:
                if stack.leftovers:
                    note(f"ended what an earlier stack had left running: {', '.join(stack.leftovers)}", "yellow")
                show_addresses(stack, settings)
                for line in variables(stack):
                    note(line)
                note("Everything is up. Ctrl-C stops it.", "bold green")
                await asyncio.Event().wait()
    except asyncio.CancelledError:
        note("Everything is stopped.")
    return 0


def variables(stack: Stack) -> list[str]:
    """What the other commands have to be told where the stack is not at the addresses that they expect."""
    expected = {"gateway": ("ZHIYIN_GATEWAY", DEFAULT_GATEWAY), "spans": ("ZHIYIN_SPANS", DEFAULT_SPANS)}
    return [
        f"export {variable}={stack.addresses[name]}"
        for name, (variable, address) in expected.items()
        if stack.addresses.get(name, address) != address
    ]
