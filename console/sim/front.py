"""A listening port of the embedded cloud, with one or more services mounted on it.

Some real clouds give each service a port, others one port and a path for each; a front does both.
"""

from __future__ import annotations

from aiohttp import web

from console.sim.service import Service


class Front:
    """One port on loopback, chosen by the system."""

    def __init__(self, mounts: dict[str, Service]) -> None:
        self._mounts = sorted(mounts.items(), key=lambda item: -len(item[0]))
        self._runner: web.ServerRunner | None = None
        self.url = ""

    async def open(self, host: str = "127.0.0.1") -> None:
        """Listen, and tell each service its base URL."""
        server = web.Server(self._answer, access_log=None)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, 0, backlog=512).start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        for prefix, service in self._mounts:
            service.base = self.url + prefix

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        for prefix, service in self._mounts:
            if not prefix or path == prefix or path.startswith(prefix + "/"):
                return await service.answer(request, path[len(prefix) :])  # type: ignore[arg-type]
        return web.Response(status=404, text="Not Found")
