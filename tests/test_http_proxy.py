"""Behind a reverse proxy, with and without a path before every address: the whole way of Strava and of a browser."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from jitney.daemon.config.load import load
from tests.at_strava import PUBLIC, House, registered, write
from tests.daemon.running import observing, running
from tests.fakes.mosquitto import Broker
from tests.fakes.ports import free_port
from tests.fakes.reverse_proxy import reverse_proxy
from tests.fakes.strava import FakeStrava
from tests.waiting import until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@asynccontextmanager
async def behind(strava: FakeStrava, broker: Broker, folder: Path, *, prefix: str, port: int) -> AsyncIterator[House]:
    """Run a daemon at a port that is reached at a path of ``PUBLIC``: whatever leads there is there already."""
    people = {"alice": "main"}
    apps = registered(strava, people)
    path = write(folder, strava, broker=broker.port, port=port, apps=apps, people=people)
    text = path.read_text(encoding="utf-8")
    text = text.replace(f'public_url = "{PUBLIC}"', f'public_url = "{PUBLIC}{prefix}"')
    path.write_text(text.replace("[outbox]", 'trusted_proxies = ["127.0.0.1"]\n[outbox]', 1), encoding="utf-8")
    async with observing(broker.port) as observer, running(load(path, environ={}), folder / "state") as daemon:
        await until(lambda: daemon.app.parts.runners["strava"].context.is_online)
        yield House(strava, observer, apps=apps, people=people)


async def fetch(url: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("strip", [True, False])
@pytest.mark.parametrize("prefix", ["", "/jitney", "/at/home"])
async def test_strava_and_a_browser_find_their_way_through_a_proxy(
    broker: Broker, tmp_path: Path, *, prefix: str, strip: bool
) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    async with FakeStrava() as strava, reverse_proxy(origin, prefix=prefix, strip=strip) as public:
        strava.lead(PUBLIC, public)
        async with behind(strava, broker, tmp_path, prefix=prefix, port=port) as house:
            await _signed_in_and_careful(house, public, prefix=prefix)
            assert (await fetch(f"{origin}/health/detailed"))[0] == 200


@pytest.fixture
def nginx(tmp_path: Path) -> tuple[Path, int]:
    """Give the test the configuration and port of an nginx that it starts itself."""
    if NGINX is None:
        pytest.skip("no nginx is installed: on Debian  sudo apt install nginx-light")
    return tmp_path / "nginx.conf", free_port()


@pytest.mark.parametrize("prefix", ["", "/jitney"])
async def test_strava_and_a_browser_find_their_way_through_nginx(
    broker: Broker, tmp_path: Path, nginx: tuple[Path, int], prefix: str
) -> None:
    path, door = nginx
    port = free_port()
    public = f"http://127.0.0.1:{door}"
    async with FakeStrava() as strava:
        strava.lead(PUBLIC, public)
        path.write_text(
            f"""
            daemon off; pid {tmp_path}/nginx.pid; error_log stderr; user root;
            events {{}}
            http {{
              access_log off;
              client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
              uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
              server {{
                listen 127.0.0.1:{door};
                location {prefix}/ {{
                  proxy_pass http://127.0.0.1:{port}/;
                  proxy_set_header Host $host;
                  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                }}
              }}
            }}
            """,
            encoding="ascii",
        )
        child = await asyncio.create_subprocess_exec(str(NGINX), "-c", str(path), stderr=subprocess.DEVNULL)
        try:
            await until(lambda: _answers(door))
            async with behind(strava, broker, tmp_path, prefix=prefix, port=port) as house:
                await _signed_in_and_careful(house, public, prefix=prefix)
        finally:
            child.terminate()
            await child.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.transport.abort()
    return True


async def _signed_in_and_careful(house: House, public: str, *, prefix: str) -> None:
    """Let somebody sign in and Strava subscribe through a proxy, which shows no names to whoever asks it."""
    await house.connect("alice", 42)
    assert house.callback("alice").startswith(f"{PUBLIC}{prefix}/strava/webhook/main/")
    assert (await fetch(f"{public}{prefix}/health"))[0] == 200
    for path in ("/health/detailed", "/metrics", "/strava/..%2fhealth/detailed"):
        for claim in ("127.0.0.1", "192.168.1.20", "::1"):
            status, text = await fetch(f"{public}{prefix}{path}", **{"X-Forwarded-For": claim})
            assert status in (403, 404)
            assert "alice" not in text
