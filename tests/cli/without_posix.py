"""`wio` in an interpreter that has nothing of POSIX: run by tests, as `python without_posix.py ARGUMENTS`.

What Windows has instead isn't there either, so it is what the client does without both.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import sys

MODULES = ("fcntl", "grp", "pwd", "pty", "resource", "syslog", "termios", "tty")
OF_OS = """
    O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK chown chroot copy_file_range ctermid fchdir fchmod fchown
    fork forkpty getegid geteuid getgid getgroups getpgid getpgrp getsid getuid initgroups killpg lchown mkfifo
    mknod openpty posix_fadvise posix_fallocate posix_spawn posix_spawnp pread preadv pwrite pwritev sched_yield
    sendfile setegid seteuid setgid setpgid setsid setuid splice statvfs tcgetpgrp tcsetpgrp ttyname uname wait3
    wait4
"""
OF_SIGNAL = "SIGHUP SIGPIPE SIGQUIT SIGUSR1 SIGUSR2 SIGWINCH SIGXFSZ pthread_sigmask sigwait"


def forget() -> None:
    """Take it all away, after Python's own library has what it has of it."""
    for library in ("shutil", "subprocess", "tempfile"):
        importlib.import_module(library)
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    select.__dict__.pop("poll", None)
    os.supports_follow_symlinks.clear()
    os.supports_fd.clear()


if __name__ == "__main__":
    forget()
    if sys.argv[1:2] == ["--windows-names"]:
        del sys.argv[1]
        from workspacesio.client import copy_plan
        from workspacesio.client.local_names import WINDOWS

        copy_plan.rules_for = lambda _: WINDOWS
    from workspacesio.cli.main import main

    sys.exit(main())
