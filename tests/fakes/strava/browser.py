"""A person with a browser: follows a link to the consent page, ticks boxes and is sent back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import unescape
from re import findall
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp

from tests.fakes.strava.consent import SESSION

_REDIRECTS: Final = 5
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


class ConsentError(Exception):
    """Strava shows a page instead of asking or of sending the browser back: its status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"status {status}: {text}")
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Landing:
    """Where the browser was sent back to, and the page that it saw there (status 0: it did not go there)."""

    url: str
    status: int = 0
    text: str = ""
    content_type: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The parameters of ``url``, such as code, scope and state."""
        return {key: values[0] for key, values in parse_qs(urlsplit(self.url).query, keep_blank_values=True).items()}


class Browser:
    """A browser in which one athlete is signed in at Strava; ``reach`` says where public addresses lead."""

    def __init__(self, oauth_url: str, athlete: int, *, reach: Callable[[str], str]) -> None:
        self._authorize = f"{oauth_url}/authorize"
        self._session = {SESSION: str(athlete)}
        self._reach = reach
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._http is not None
        await self._http.close()

    async def consent(self, link: str, *, granted: Iterable[str] | None, refuse: bool) -> str:
        """Follow a link, answer the consent page and return where the browser is sent; raises ConsentError."""
        url = await self._to_strava(link)
        status, text, location = await self._load("GET", url, cookies=self._session)
        if location:
            if refuse or granted is not None:
                message = "the athlete was not asked, having allowed all of that before: use approval_prompt=force"
                raise AssertionError(message)
            return location
        boxes = findall(r'name="scopes" value="([^"]*)"', text)
        if status != 200 or not boxes:
            raise ConsentError(status, text)
        wanted = [unescape(box) for box in boxes]
        ticked = wanted if granted is None else list(granted)
        if not set(ticked) <= set(wanted):
            message = f"the page has no box for {sorted(set(ticked) - set(wanted))}, only for {wanted}"
            raise AssertionError(message)
        (action,) = findall(r'action="([^"]*)"', text)
        answer = {"refuse": "1"} if refuse else {"scopes": ",".join(ticked)}
        status, text, location = await self._load(
            "POST", urljoin(url, unescape(action)), cookies=self._session, data=answer
        )
        if not location:
            raise ConsentError(status, text)
        return location

    async def land(self, url: str) -> Landing:
        """Go where Strava has sent the browser and further, and return the page that it sees in the end."""
        assert self._http is not None
        at = url
        for _ in range(_REDIRECTS):
            async with self._http.get(self._reach(at), allow_redirects=False) as answer:
                if answer.status not in _MOVED:
                    return Landing(url, answer.status, await answer.text(), answer.content_type)
                at = urljoin(at, answer.headers["Location"])
        message = f"more than {_REDIRECTS} redirects from {url.partition('?')[0]}"
        raise AssertionError(message)

    async def _to_strava(self, link: str) -> str:
        """Return the address of the consent page, to which a link may lead over pages of the client's own."""
        at = link
        for _ in range(_REDIRECTS):
            if at.startswith(self._authorize):
                return at
            status, text, location = await self._load("GET", at)
            links = [unescape(one) for one in findall(r'href="([^"]*)"', text)]
            onward = location or next((one for one in links if one.startswith(self._authorize)), "")
            if not onward:
                raise ConsentError(status, text)
            at = urljoin(at, onward)
        message = "the link does not lead to Strava"
        raise AssertionError(message)

    async def _load(
        self, method: str, url: str, *, cookies: dict[str, str] | None = None, data: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        assert self._http is not None
        async with self._http.request(
            method, self._reach(url), cookies=cookies, data=data, allow_redirects=False
        ) as answer:
            location = answer.headers.get("Location", "") if answer.status in _MOVED else ""
            return answer.status, await answer.text(), location
