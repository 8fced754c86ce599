"""WorkspacesIO itself, started as a person starts it: `wio serve`, registration, import, credential."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks import dataset
from benchmarks.endpoint import Endpoint
from servers.service import Service

_USER = "bench"


@contextmanager
def start_workspacesio(
    data_dir: str, *, durability: str = "process", before_command: Sequence[str] = (), path: str = ""
) -> Iterator[Endpoint]:
    """Serves the bucket's folder in `data_dir` with fresh state; yields its endpoint when its index is made.

    `durability` is WIO_DURABILITY. The folder `all` is imported as one workspace, and the load uses one
    credential for all that its owner reaches. `before_command` gets the command's words after its own, with
    `path` as PYTHONPATH.
    """
    folder = os.path.join(data_dir, dataset.BUCKET)
    with tempfile.TemporaryDirectory(prefix="workspacesio-bench-") as base:
        service = Service(folder, base=base, options=["--bucket", dataset.BUCKET])
        service.environment["WIO_DURABILITY"] = durability
        service.before_command += before_command
        if path:
            service.environment["PYTHONPATH"] = path
        service.start()
        try:
            yield _endpoint(service)
        finally:
            service.stop()


def _endpoint(service: Service) -> Endpoint:
    assert service.process is not None
    service.process.wait_for_http(f"{service.s3_url}/-/health")
    user = service.administrator(_USER)
    workspace = dataset.PREFIX.rstrip("/")
    user.wio("root", "import", "existing", workspace)
    # The first crawl would take a processor while it lasts. What changes later is indexed while it is measured.
    user.wio("crawl", "status", workspace, "--wait")
    keys = user.token("--node", "local")
    return Endpoint(
        url=service.s3_url,
        access_key=keys["access_key_id"],
        secret_key=keys["secret_access_key"],
        session_token=keys["session_token"],
        bucket=dataset.BUCKET,
        prefix=dataset.PREFIX,
        process=service.process,
        client_environment=user.env(),
    )
