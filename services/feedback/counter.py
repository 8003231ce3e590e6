"""`python -m services.feedback.counter` counts what was recorded; it answers health, and no other call.

Counting a batch keeps a core busy for longer than recording it: in a process of its own it delays nobody.
"""

from services.common.server import run
from services.feedback.config import CounterSettings
from services.feedback.wiring import open_counter

if __name__ == "__main__":
    run("feedback", CounterSettings, open_counter)
