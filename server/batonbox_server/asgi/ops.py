"""For operators: is it alive, should it get traffic, what has it done."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from batonbox_server import __version__

from . import answers
from .endpoint import Call, Endpoint, json_response
from .metrics import CONTENT_TYPE, exposition

__all__ = ["ENDPOINTS"]


async def _livez(_: Call) -> dict[str, Any]:
    """Whether the process answers."""
    return {"status": "ok"}


async def _readyz(call: Call) -> Response:
    """Whether this node should get traffic; 503 with the same body when not."""
    readiness = call.services.readiness
    engine = readiness.engine()
    # With a part of a cluster away every node is the same: none serves more if one gets no traffic.
    partly = bool(engine["away"])
    heard = readiness.channel()
    checks = {
        "engine": bool(engine["up"]) or partly,
        "feeds": not readiness.degraded() or partly,
        "channel": heard.ok or partly,
        "started": readiness.started,
        "not_draining": not readiness.draining,
    }
    ready = all(checks.values())
    body = {
        "ready": ready,
        "checks": checks,
        "engine": {name: engine[name] for name in ("name", "version", "away")},
        "channel": {
            "round_trip_ms": _rounded(heard.round_trip_s, 1000.0),
            "age_s": _rounded(heard.age_s),
        },
        "archive": readiness.archive(),
        "load": readiness.load(),
        "version": __version__,
    }
    return json_response(body, status=200 if ready else 503)


def _rounded(seconds: float | None, times: float = 1.0) -> float | None:
    return None if seconds is None else round(seconds * times, 3)


async def _metrics(call: Call) -> Response:
    """Metrics in the Prometheus text format; with several workers, of each under its label."""
    of_all = call.services.metrics
    text = await of_all() if of_all is not None else exposition(call.services.readiness)
    return Response(text, media_type=CONTENT_TYPE)


ENDPOINTS: Final = (
    Endpoint("GET", "/livez", None, _livez, vital=True, returns=answers.Liveness),
    Endpoint("GET", "/readyz", None, _readyz, also=503, vital=True, returns=answers.Readiness),
    Endpoint("GET", "/metrics", None, _metrics, vital=True, returns=str),
)
