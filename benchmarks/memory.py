"""The most memory that processes have held at once (proc(5): VmHWM; clear_refs begins anew)."""

from __future__ import annotations

import threading

_SAMPLE_SECONDS = 0.1


def peak_bytes(process: int | str) -> tuple[str, int]:
    """What `ps` calls the process, and its bytes, with files that it maps. `process`: a number, or 'self'."""
    fields = _status(process)
    return fields["Name"], int(fields["VmHWM"].split()[0]) * 1024


def forget_peak(process: int | str) -> None:
    """`peak_bytes` counts from now on."""
    with open(f"/proc/{process}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")


class OwnMemory:
    """While in the context: the most of this process that no file stands behind (RssAnon), looked at often.

    Pages of files that are mapped count for `peak_bytes`, and the system takes them back when it needs them; these
    it can't.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> OwnMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.peak_bytes = max(self.peak_bytes, int(_status("self")["RssAnon"].split()[0]) * 1024)
            if self._ended.wait(_SAMPLE_SECONDS):
                return


def _status(process: int | str) -> dict[str, str]:
    with open(f"/proc/{process}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
