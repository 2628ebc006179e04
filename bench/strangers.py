"""Strangers at the door: post what concerns nobody as fast as it is answered, half of it to paths that do not exist.

python -m bench.strangers 32 http://127.0.0.1:8077/strava/webhook/main/… 120475

Prints a line when it begins, and at SIGTERM how often each status was answered.
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from itertools import count

import aiohttp


async def main(at_once: int, url: str, subscription: int) -> None:
    """Flood until SIGTERM."""
    answers: Counter[int] = Counter()
    numbers = count(1)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as http:
        flood = asyncio.gather(
            *(_stranger(http, url, subscription, numbers=numbers, answers=answers) for _ in range(at_once))
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, flood.cancel)
        print("begins", flush=True)
        try:
            await flood
        except asyncio.CancelledError:
            print(json.dumps(answers), flush=True)


async def _stranger(
    http: aiohttp.ClientSession, url: str, subscription: int, *, numbers: "count[int]", answers: Counter[int]
) -> None:
    for number in numbers:
        event = {
            "aspect_type": "create",
            "event_time": 1_795_262_400 + number,
            "object_id": number,
            "object_type": "activity",
            "owner_id": 660_000 + number,
            "subscription_id": subscription,
            "updates": {},
        }
        place = url if number % 2 else f"{url.rpartition('/')[0]}/{number:032}"
        try:
            async with http.post(place, json=event) as answer:
                await answer.read()
                answers[answer.status] += 1
        except (aiohttp.ClientError, TimeoutError):
            answers[0] += 1


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
