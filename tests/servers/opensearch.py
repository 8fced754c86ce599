"""OpenSearch 3 (its own distribution), OpenSearch 2 and Elasticsearch 7.10 (one node in a small Java program)."""

from __future__ import annotations

import contextlib
import glob
import http.client
import json
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from servers.installed import ServerMissing, cache_dir, installed
from servers.process import Process, ServerFailed, free_port

# Starting is most of what tests wait for, and the fast compiler alone starts sooner.
_JAVA_OPTIONS = ("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class SearchServerProcess:
    """A running server. `stop` and `kill` leave its data, `start` brings it back at the same address."""

    def __init__(self, kind: str, folder: str, run: Callable[[int, int], Process]) -> None:
        self.kind = kind
        self.folder = folder
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._run = run
        self._transport_port = free_port()
        self.process = self._start()

    def start(self) -> None:
        self.process = self._start()

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        """What a power cut leaves behind."""
        self.process.kill()

    def _start(self) -> Process:
        process = self._run(self.port, self._transport_port)
        try:
            process.wait_until(self._is_ready, timeout=120)
        except ServerFailed:
            process.stop()
            raise
        return process

    def _is_ready(self) -> bool:
        """Whether every index that is there can be searched."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_cluster/health", timeout=5) as answer:
                return json.load(answer)["status"] in ("yellow", "green")
        except (OSError, http.client.HTTPException):
            return False


@contextmanager
def opensearch3() -> Iterator[SearchServerProcess]:
    """It refuses to run as root: root runs it as `daemon`, who must reach the folder, so it lies in /tmp."""
    program = _installed_folder("opensearch-3")
    user = "daemon" if os.geteuid() == 0 else None
    with _folder("workspacesio-opensearch-") as folder:
        home = _linked_home(program, folder)
        _write_configuration(home)
        if user is not None:
            os.chmod(folder, 0o755)
            for place, folders, _ in os.walk(folder):
                for name in (".", *folders):
                    shutil.chown(os.path.join(place, name), user, user)

        def run(port: int, transport_port: int) -> Process:
            command = [os.path.join(home, "bin", "opensearch"), f"-Ehttp.port={port}"]
            command += [f"-Etransport.port={transport_port}"]
            return Process(
                command,
                log_path=os.path.join(folder, "opensearch.log"),
                env={"OPENSEARCH_JAVA_HOME": _java_home(), "OPENSEARCH_JAVA_OPTS": "", "HOME": folder},
                cwd=home,
                user=user,
            )

        with _running(SearchServerProcess("opensearch3", folder, run)) as server:
            yield server


@contextmanager
def opensearch2() -> Iterator[SearchServerProcess]:
    with _embedded("opensearch2", "opensearch-2") as server:
        yield server


@contextmanager
def elasticsearch7() -> Iterator[SearchServerProcess]:
    with _embedded("elasticsearch7", "elasticsearch-7") as server:
        yield server


@contextmanager
def _embedded(kind: str, program: str) -> Iterator[SearchServerProcess]:
    libraries = os.path.join(_installed_folder(program), "lib")
    with _folder(f"workspacesio-{kind}-") as folder:

        def run(port: int, transport_port: int) -> Process:
            command = [installed("java"), *_JAVA_OPTIONS, "-cp", f"{libraries}:{libraries}/*", "SearchServer"]
            command += [os.path.join(folder, "node"), str(port), str(transport_port)]
            return Process(command, log_path=os.path.join(folder, f"{kind}.log"), cwd=folder)

        with _running(SearchServerProcess(kind, folder, run)) as server:
            yield server


@contextmanager
def _running(server: SearchServerProcess) -> Iterator[SearchServerProcess]:
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _folder(prefix: str) -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix=prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _installed_folder(program: str) -> str:
    """Where `scripts/install-search-servers` put it, whatever its minor version. Raises `ServerMissing`."""
    found = sorted(glob.glob(os.path.join(cache_dir(), "search", f"{program}.*")))
    if not found:
        raise ServerMissing(
            f"{program} is not installed: run `make test-servers`, which installs what tests need."
        )
    return found[-1]


def _java_home() -> str:
    return os.path.realpath(os.path.join(cache_dir(), "search", "java-21"))


def _linked_home(program: str, folder: str) -> str:
    """The distribution in a folder that its user can reach, without copying 200 MB where links can be made."""
    home = os.path.join(folder, "home")

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
            with contextlib.suppress(OSError):
                shutil.copymode(source, target)

    shutil.copytree(program, home, copy_function=link)
    shutil.rmtree(os.path.join(home, "config"))
    shutil.copytree(os.path.join(program, "config"), os.path.join(home, "config"), copy_function=shutil.copyfile)
    return home


def _write_configuration(home: str) -> None:
    settings = {
        "network.host": "127.0.0.1",
        "discovery.type": "single-node",
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }
    with open(os.path.join(home, "config", "opensearch.yml"), "w", encoding="utf-8") as file:
        file.writelines(f"{name}: {value}\n" for name, value in settings.items())
    # What the distribution needs to run stays; its garbage collector and that one's log are for larger servers.
    options = os.path.join(home, "config", "jvm.options")
    with open(options, encoding="utf-8") as file:
        kept = [
            line for line in file if not any(word in line for word in ("-Xm", "-Xlog", "UseG1GC", "G1Reserve"))
        ]
        kept = [line for line in kept if "InitiatingHeapOccupancy" not in line]
    with open(options, "w", encoding="utf-8") as file:
        file.writelines([*kept, *(f"{option}\n" for option in _JAVA_OPTIONS)])
