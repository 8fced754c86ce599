"""The most memory that processes have held at once (proc(5): VmHWM; clear_refs begins anew)."""

from __future__ import annotations


def peak_bytes(process: int | str) -> tuple[str, int]:
    """What `ps` calls the process, and its bytes. `process`: a number, or 'self'."""
    with open(f"/proc/{process}/status", encoding="utf-8") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return fields["Name"], int(fields["VmHWM"].split()[0]) * 1024


def forget_peak(process: int | str) -> None:
    """`peak_bytes` counts from now on."""
    with open(f"/proc/{process}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")
