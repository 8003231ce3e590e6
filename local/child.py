"""Becomes another program that dies with the process that started it.

Run by path (`python -I child.py SIGNAL UID GID PARENT -- PROGRAM ARGUMENT...`), so that it starts in a few
milliseconds and needs nothing but the standard library. It is a program and not a `preexec_fn`, because code
between fork and exec in a process that runs gRPC threads can hang. UID and GID -1 keep the user as it is.

On Linux the kernel sends SIGNAL as soon as the parent is gone, however it went. Elsewhere nothing does, and
what is left is ended by the next start (see `local.processes.end_leftovers`).
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def become(signal_number: int, uid: int, gid: int, parent: int, command: list[str]) -> None:
    """Gives up root where asked to, binds this process to its parent, and runs `command` in its place."""
    if gid >= 0:
        os.setgroups([])
        os.setgid(gid)
    if uid >= 0:
        os.setuid(uid)
    # After the change of user, which clears the setting.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:
            raise SystemExit("the parent is gone already")
    os.execv(command[0], command)  # noqa: S606 - the program that we were asked to start


def main(arguments: list[str]) -> None:
    """Reads SIGNAL UID GID PARENT -- PROGRAM ARGUMENT..."""
    signal_number, uid, gid, parent = (int(number) for number in arguments[:4])
    become(signal_number, uid, gid, parent, arguments[5:])


if __name__ == "__main__":
    main(sys.argv[1:])
