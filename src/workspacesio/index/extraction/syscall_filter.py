"""A seccomp filter (seccomp(2)) that refuses what no reader of a file needs, with EPERM.

The filter is classic BPF over `struct seccomp_data` (linux/seccomp.h): number at byte 0, architecture at 4, the
low half of argument n at 16 + 8n. Threads may be made, processes may not: clone(2) is let through only with
CLONE_THREAD, and clone3, whose flags lie in memory where a filter can't look, "doesn't exist", so that the C
library goes back to clone. Opening is let through only for reading, limits only for the process itself.
"""

import ctypes
import errno
import os
import struct

_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_ABSENT = 0x00050000 | errno.ENOSYS
_KILL = 0x80000000

_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_CLONE_THREAD = 0x10000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_X32 = 0x40000000
"""Numbers from here on are those of x86-64's second set of calls: none of ours."""

_SET_MODE_FILTER = 1
_TSYNC = 1

_AUDIT_NUMBER = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}

REFUSED = {
    "x86_64": {
        "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "socketpair": 53, "accept4": 288,
        "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
        "kill": 62, "tkill": 200, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "pidfd_send_signal": 424,
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_open": 434, "pidfd_getfd": 438,
        "setrlimit": 160, "setpriority": 141, "ioprio_set": 251, "sched_setscheduler": 144,
        "setuid": 105, "setgid": 106, "capset": 126,
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308,
        "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
        "add_key": 248, "request_key": 249, "keyctl": 250,
        "memfd_create": 319, "shmget": 29, "shmat": 30, "msgget": 68, "semget": 64, "mq_open": 240,
        "creat": 85, "mknod": 133, "mknodat": 259, "mkdir": 83, "mkdirat": 258, "rmdir": 84,
        "rename": 82, "renameat": 264, "renameat2": 316, "unlink": 87, "unlinkat": 263,
        "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266,
        "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452,
        "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260,
        "truncate": 76, "ftruncate": 77, "fallocate": 285,
        "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190,
        "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199,
        "utime": 132, "utimes": 235, "utimensat": 280, "futimesat": 261,
        "openat2": 437, "open_by_handle_at": 304, "name_to_handle_at": 303,
        "inotify_init": 253, "inotify_init1": 294, "fanotify_init": 300,
        "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "reboot": 169,
    },
    "aarch64": {
        "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203,
        "accept4": 242, "execve": 221, "execveat": 281,
        "kill": 129, "tkill": 130, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "pidfd_send_signal": 424,
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "pidfd_open": 434, "pidfd_getfd": 438,
        "setrlimit": 164, "setpriority": 140, "ioprio_set": 30, "sched_setscheduler": 119,
        "setuid": 146, "setgid": 144, "capset": 91,
        "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268,
        "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
        "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
        "add_key": 217, "request_key": 218, "keyctl": 219,
        "memfd_create": 279, "shmget": 194, "shmat": 196, "msgget": 186, "semget": 190, "mq_open": 180,
        "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37,
        "renameat": 38, "renameat2": 276, "fchmod": 52, "fchmodat": 53, "fchmodat2": 452,
        "fchownat": 54, "fchown": 55, "truncate": 45, "ftruncate": 46, "fallocate": 47,
        "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7,
        "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "utimensat": 88,
        "openat2": 437, "open_by_handle_at": 265, "name_to_handle_at": 264,
        "inotify_init1": 26, "fanotify_init": 262,
        "init_module": 105, "finit_module": 273, "delete_module": 106, "kexec_load": 104, "reboot": 142,
    },
}  # fmt: skip
"""By the names and numbers of asm/unistd_64.h and asm-generic/unistd.h."""

_CHECKED = {
    "x86_64": {"open": 2, "openat": 257, "clone": 56, "clone3": 435, "prlimit64": 302},
    "aarch64": {"openat": 56, "clone": 220, "clone3": 435, "prlimit64": 261},
}


def install_filter(libc: ctypes.CDLL) -> bool:
    """Put the filter on every thread of the process. False where the kernel or the architecture has none."""
    machine = os.uname().machine
    if machine not in REFUSED:
        return False
    program = filter_program(machine)
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    pointer = ctypes.create_string_buffer(head, len(head))
    return bool(libc.syscall(_SECCOMP[machine], _SET_MODE_FILTER, _TSYNC, pointer) == 0)


def filter_program(machine: str) -> bytes:
    """The filter as instructions of 8 bytes (`struct sock_filter`: code, jump if true, jump if false, value)."""
    checked = _CHECKED[machine]
    code = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, _AUDIT_NUMBER[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _X32, 0, 1),
        _step(_RETURN, _REFUSE),
    ]
    for number in sorted(REFUSED[machine].values()):
        code += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _REFUSE)]
    code += [_step(_EQUAL, checked["clone3"], 0, 1), _step(_RETURN, _ABSENT)]
    for name, argument in (("open", 1), ("openat", 2)):
        if name in checked:
            code += _unless(checked[name], argument, _WRITING, refused_if_set=True)
    code += _unless(checked["clone"], 0, _CLONE_THREAD, refused_if_set=False)
    code += _unless(checked["prlimit64"], 0, 0xFFFFFFFF, refused_if_set=True)
    return b"".join([*code, _step(_RETURN, _ALLOW)])


def _unless(number: int, argument: int, bits: int, *, refused_if_set: bool) -> list[bytes]:
    """Call `number` is refused by any of these bits of its argument, or for want of them; else let through."""
    return [
        _step(_EQUAL, number, 0, 4),
        _step(_LOAD, 16 + 8 * argument),
        _step(_ANY_BIT, bits, 0 if refused_if_set else 1, 1 if refused_if_set else 0),
        _step(_RETURN, _REFUSE),
        _step(_RETURN, _ALLOW),
    ]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
