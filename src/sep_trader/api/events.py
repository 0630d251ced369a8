"""GET /api/events: what changes, as server-sent events. It is made once a second, and sent to all who listen."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import orjson
from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from sep_trader.api.access import Access, Caller
from sep_trader.api.views import Views
from sep_trader.errors import SepError

EVERY_S = 1.0
_BEAT_S = 5.0
_MOST_LISTENERS = 500


class Broadcast:
    """One maker for many listeners. It works while somebody listens."""

    def __init__(self, views: Views, access: Access) -> None:
        self._views, self._access = views, access
        self._listeners: set[asyncio.Queue[bytes]] = set()
        self._task: asyncio.Task[None] | None = None
        self._newest = b""

    async def listen(self, caller: Caller) -> AsyncIterator[bytes]:
        """What is sent to one listener: the newest at once, and then what changes. A slow one misses what is old.

        It ends when the caller's token is revoked.
        """
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
        self._listeners.add(queue)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        elif self._newest:
            queue.put_nowait(self._newest)
        try:
            while self._access.holds(caller):
                yield await queue.get()
        except asyncio.CancelledError:
            return  # the listener went away, or this process ends
        finally:
            self._listeners.discard(queue)

    def is_full(self) -> bool:
        """Whether there are as many listeners as one process serves well."""
        return len(self._listeners) >= _MOST_LISTENERS

    async def _work(self) -> None:
        sent_at = 0.0
        while self._listeners:
            begun = time.monotonic()
            made = await to_thread.run_sync(self._made)
            if made != self._newest or begun - sent_at >= _BEAT_S:
                self._newest, sent_at = made, begun
                for queue in self._listeners:
                    with contextlib.suppress(asyncio.QueueEmpty):
                        queue.get_nowait()
                    queue.put_nowait(made)
            await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - begun)))
        self._newest = b""

    def _made(self) -> bytes:
        """An event: the overview as HTML, or that the database does not answer."""
        try:
            if not self._access.is_fresh():
                self._access.refresh()
            body: dict[str, object] = {"html": self._views.live(), "banners": self._views.banners()}
            name = "overview"
        except SepError:
            body, name = {"text": "the database does not answer: what is shown is old"}, "trouble"
        return f"event: {name}\ndata: ".encode() + orjson.dumps(body) + b"\n\n"


def event_routes(broadcast: Broadcast) -> APIRouter:
    """The stream."""
    router = APIRouter()

    @router.get("/api/events", tags=["status"], response_class=StreamingResponse,
                responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}})  # fmt: skip
    async def events(request: Request) -> StreamingResponse:
        """What changes, as server-sent events: `overview` with its HTML, `trouble` where nothing is known."""
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        if broadcast.is_full():
            return StreamingResponse(iter([b"retry: 60000\n\n"]), 503, headers, "text/event-stream")
        return StreamingResponse(broadcast.listen(request.state.caller), 200, headers, "text/event-stream")

    return router
