"""What each step of a small GET costs: the endpoint, made to answer after one of them with bytes that it has.

    python -m benchmarks.steps STEP wio serve …     as `wio serve`, with such an endpoint

A request takes the steps in this order, so the difference of two lines is what the later step costs.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from benchmarks import dataset, load, subject
from benchmarks.endpoint import Endpoint
from benchmarks.figures import FIGURES
from workspacesio.domain.vocabulary import Action
from workspacesio.s3.app import Endpoint as S3Endpoint
from workspacesio.s3.exchange import Exchange, Head
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response

STEPS = {
    "http": "read as HTTP",
    "parse": "parsed",
    "identify": "identified: signature, token, rights read",
    "decide": "decided",
    "all": "carried out",
}
"""What has happened when it is answered."""

_BODY = bytes(1024)
_FIGURE = next(figure for figure in FIGURES if figure.name == "get-1k")
_PATHS = f"/{dataset.BUCKET}/{dataset.PREFIX}{_FIGURE.load.keys.partition('/')[0]}/"
_REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _headers() -> list[tuple[str, str]]:
    return [("etag", '"0"'), ("content-type", "binary/octet-stream"), ("content-length", str(len(_BODY)))]


def microseconds(loadgen: str) -> dict[str, float]:
    """Processor time of the server for one request, by step."""
    data_dir = dataset.make_tree(os.path.join(dataset.bench_dir(), "workspacesio"), list(_FIGURE.parts))
    found = {}
    for step in STEPS:
        before = [sys.executable, "-m", "benchmarks.steps", step]
        with subject.start_workspacesio(data_dir, before_command=before, path=_REPOSITORY) as endpoint:
            _loaded(loadgen, endpoint, replace(_FIGURE.load, seconds=1))
            found[step] = _loaded(loadgen, endpoint, _FIGURE.load)
    return found


def _loaded(loadgen: str, endpoint: Endpoint, wanted: load.Load) -> float:
    before = endpoint.cpu_seconds()
    result = load.run(loadgen, endpoint, wanted)
    used = endpoint.cpu_seconds() - before
    return 1e6 * used / (result.requests_per_second * (result.seconds + wanted.warmup))


class _Stopping(S3Endpoint):
    """The endpoint, but for the measured objects."""

    step = "all"
    handle_all = S3Endpoint.handle
    answer_all = S3Endpoint.answer

    async def handle(self, head: Head, exchange: Exchange) -> None:
        if _Stopping.step == "http" and head.path.startswith(_PATHS):
            exchange.respond(200, _headers(), _BODY)
            return
        await _Stopping.handle_all(self, head, exchange)

    async def answer(self, request: Request) -> Response:
        step = _Stopping.step
        if step not in ("parse", "identify", "decide") or not request.path.startswith(_PATHS):
            return await _Stopping.answer_all(self, request)
        if step != "parse":
            context = await self._identify(request)
            if step == "decide":
                await context.permit_at_start(Action.READ_DATA, request.bucket, request.key)
        return Response(200, _headers(), _BODY)


def main() -> int:
    """`wio` with an endpoint that stops after a step."""
    from workspacesio.cli.main import main as wio

    _Stopping.step = sys.argv[1]
    S3Endpoint.handle, S3Endpoint.answer = _Stopping.handle, _Stopping.answer  # type: ignore[method-assign]
    sys.argv[1:] = sys.argv[3:]
    return wio()


if __name__ == "__main__":
    sys.exit(main())
