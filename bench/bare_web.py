"""A web server that reads what it is sent, does nothing and answers 200: what answering costs at the least.

python -m bench.bare_web                  prints its port, and serves until it is ended
"""

import asyncio

from aiohttp import web


async def main() -> None:
    """Serve on a free port."""
    app = web.Application()
    app.router.add_route("POST", "/{path:.*}", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def _answer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=b"{}", content_type="application/json")


if __name__ == "__main__":
    asyncio.run(main())
