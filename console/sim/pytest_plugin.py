"""A pytest fixture for anybody's OpenStack code: `novadeck_cloud`, a whole embedded cloud for one test.

    def test_mine(novadeck_cloud):
        connection = openstack.connect(cloud="lab")     # or nimbus, lab-admin, nimbus-admin
        assert [s.name for s in connection.compute.servers()]
        novadeck_cloud.advance(60)                      # a minute of the cloud's time, in no time

The estate runs in a thread of its own, so that tests may be synchronous.  OS_CLIENT_CONFIG_FILE names its clouds.yaml
for as long as the test lasts.  Nothing is started unless a test asks for the fixture.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from console.sim.estate import Estate

T = TypeVar("T")


class NovadeckCloud:
    """An embedded estate that runs in a thread of its own."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.folder = folder
        self.given = given
        self.clouds_yaml: Path
        self.estate: Estate
        self._loop: asyncio.AbstractEventLoop
        self._up = threading.Event()
        self._end: asyncio.Event
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="novadeck cloud", daemon=True)

    def start(self) -> None:
        """Bring the estate up and write its clouds.yaml."""
        self._thread.start()
        self._up.wait()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Bring it down; nothing is left."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def advance(self, seconds: float) -> None:
        """Move the cloud's time; what is due has happened when this returns."""
        self.run(self.estate.clock.advance(seconds))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the cloud's own thread, as everything that touches `estate` must."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def call(self, work: Callable[[], T]) -> T:
        """Call a plain function, such as one of `estate.control`, in the cloud's own thread."""

        async def once() -> T:
            return work()

        return self.run(once())

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._up.set()

    async def _serve(self) -> None:
        from console.sim.estate import Estate

        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with Estate(**self.given) as self.estate:
            self.clouds_yaml = self.estate.write_clouds_yaml(self.folder)
            self._up.set()
            await self._end.wait()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known by which a test sizes its cloud."""
    text = "novadeck(servers=, clouds=, regions=, guests=, speed=, seed=, firstgen=, rackspace=): this test's own cloud"
    config.addinivalue_line("markers", text)


@pytest.fixture
def novadeck_cloud(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NovadeckCloud]:
    """An embedded cloud (two clouds, three regions, 28 servers), and OS_CLIENT_CONFIG_FILE set to its clouds.yaml."""
    marker = request.node.get_closest_marker("novadeck")
    given = {"guests": 0, "speed": 10.0, **(marker.kwargs if marker is not None else {})}
    cloud = NovadeckCloud(tmp_path, **given)
    cloud.start()
    try:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(cloud.clouds_yaml))
        yield cloud
    finally:
        cloud.stop()
