"""What a browser shows during a sign-in: small pages for a member of the family, complete in themselves."""

from collections.abc import Iterable, Mapping
from html import escape
from string import Template
from typing import Final

from msgspec import Struct

from jitney.adapters.base import HttpResponse
from jitney.adapters.strava.grants import PROFILE, WRITE

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

BOXES: Final[Mapping[str, str]] = {
    "activity:read": "View data about your activities",
    "activity:read_all": "View data about your private activities",
    PROFILE: "View your complete Strava profile",
    WRITE: "Upload your activities to Strava",
}
"""What stands beside the box of a scope on Strava's page."""

_WITHOUT: Final[Mapping[str, str]] = {
    "activity:read_all": "activities that only you can see stay unknown here",
    PROFILE: "your bikes, shoes and training zones stay unknown here",
    WRITE: "nothing of your activities can be changed from here",
}


class Refusal(Struct, frozen=True):
    """Why a sign-in did not work, as a page tells it. In ``text`` stands $name for whose sign-in it is."""

    status: int
    title: str
    text: tuple[str, ...]
    boxes: tuple[str, ...] = ()


_KEEPER: Final = "whoever looks after Jitney in your home"
_NOTHING: Final = "Nothing was stored."

REFUSALS: Final[Mapping[str, Refusal]] = {
    "unknown_state": Refusal(
        410,
        "This link is used up",
        (
            "A link to connect Strava works once, and only for fifteen minutes.",
            "If you have just read that Strava is connected, all is well, and you can close this page.",
            f"If not, ask {_KEEPER} for a new link.",
        ),
    ),
    "incomplete": Refusal(
        400,
        "Something is missing",
        ("Strava sent you back without its answer. Please try once more.", _NOTHING),
    ),
    "denied": Refusal(
        403,
        "Strava was not connected",
        ("You chose not to allow it on Strava's page, and that is fine.", f"{_NOTHING} If it was a slip, try again."),
    ),
    "missing_scope": Refusal(
        403,
        "One box has to be ticked",
        (
            "Without it your activities cannot be seen here, so Strava was not connected.",
            "Please leave the first of these ticked, and the second too if your private activities should count:",
        ),
        (BOXES["activity:read"], BOXES["activity:read_all"]),
    ),
    "bad_code": Refusal(
        400,
        "That took too long",
        ("Strava's permission is good for a few minutes only and could not be used any more. Please try again.",),
    ),
    "athlete_limit": Refusal(
        403,
        "There is no free place",
        (
            "Strava lets only a certain number of people use this connection, and all places are taken.",
            f"Please tell {_KEEPER}.",
            "The number can be raised at strava.com/settings/api, or somebody who is connected can be disconnected.",
        ),
    ),
    "inactive": Refusal(
        503,
        "Strava has stopped this connection",
        (
            "That is not your fault, and trying again does not help yet.",
            f"Please tell {_KEEPER}.",
            "The owner of the app needs a paid subscription; its id and secret are at strava.com/settings/api.",
        ),
    ),
    "limited": Refusal(
        503,
        "Strava asks for a break",
        ("There were many questions to Strava lately. Please try again in a quarter of an hour.",),
    ),
    "unavailable": Refusal(
        503,
        "Strava does not answer",
        ("That usually passes. Please try again in a few minutes.", _NOTHING),
    ),
    "foreign_athlete": Refusal(
        403,
        "This is another Strava account",
        (
            "Your browser is signed in to Strava with an account that is not the one expected for $name.",
            f"{_NOTHING} Open strava.com, log out, and try again with the right account.",
        ),
    ),
    "claimed_athlete": Refusal(
        403,
        "This Strava account is taken",
        (
            "Your browser is signed in to Strava with an account that belongs to somebody else in this home.",
            "It stays as it was. Open strava.com, log out, and try again with the account of $name.",
        ),
    ),
    "failed": Refusal(
        503,
        "This did not work",
        (f"Strava was not connected. Please try again, and tell {_KEEPER} if it goes on.",),
    ),
}
"""By the code of the RefusedError."""

_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { --ground: #f6f5f2; --card: #fff; --ink: #22211f; --soft: #66625b; --line: #e3e0d9; --accent: #b8390a }
@media (prefers-color-scheme: dark) {
  :root { --ground: #191817; --card: #232220; --ink: #eceae6; --soft: #a5a099; --line: #383633; --accent: #ff8a5c }
}
* { box-sizing: border-box }
body {
  margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.25rem;
  background: var(--ground); color: var(--ink); font: 1.0625rem/1.55 system-ui, sans-serif
}
main {
  width: 100%; max-width: 29rem; padding: 2rem 1.75rem; overflow-wrap: anywhere;
  background: var(--card); border: 1px solid var(--line); border-radius: 1rem
}
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25 }
p, ul { margin: 0 0 .875rem }
ul { padding-left: 1.25rem }
a {
  display: inline-block; margin-top: .5rem; padding: .625rem 1.25rem; border: 2px solid var(--accent);
  border-radius: .625rem; color: var(--accent); font-weight: 600; text-decoration: none
}
a:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px }
footer {
  margin-top: 1.5rem; padding-top: .875rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .875rem
}
</style>
</head>
<body>
<main>
<h1>$title</h1>
$content
<footer>Jitney · Strava</footer>
</main>
</body>
</html>
""")


def invitation(name: str, link: str) -> HttpResponse:
    """Return the page that says whose Strava account is to be connected and leads to Strava."""
    return _page(
        "Connect Strava",
        [
            _paragraph(f"This connects the Strava account of {name}."),
            _paragraph("Strava will ask you to log in and to allow it. Please leave all boxes ticked."),
            _button("Go to Strava", link),
        ],
    )


def connected(name: str, *, missing: Iterable[str] = (), again: str = "") -> HttpResponse:
    """Return the page of a sign-in that worked; ``missing`` are the scopes that were not granted."""
    content = [_paragraph(f"Your Strava account is now connected for {name}. You can close this page.")]
    lacking = [scope for scope in missing if scope in _WITHOUT]
    if lacking:
        content.append(_paragraph("Not every box was ticked on Strava's page:"))
        content.append(_list(f"without “{BOXES[scope]}”, {_WITHOUT[scope]}" for scope in lacking))
        content.append(
            _paragraph("That is your choice. To change it, connect once more and tick what you want to allow.")
        )
        content.append(_button("Connect once more", again))
    return _page("Strava is connected", content)


def refused(code: str, *, name: str = "", again: str = "") -> HttpResponse:
    """Return the page for the ``code`` of a refusal; ``again`` is a fresh link, where there can be one."""
    refusal = REFUSALS.get(code, REFUSALS["failed"])
    content = [_paragraph(Template(text).safe_substitute(name=name)) for text in refusal.text]
    if refusal.boxes:
        content.append(_list(f"“{box}”" for box in refusal.boxes))
    if again:
        content.append(_button("Try again", again))
    return _page(refusal.title, content, status=refusal.status)


def _page(title: str, content: Iterable[str], *, status: int = 200) -> HttpResponse:
    html = _PAGE.substitute(title=escape(title), content="\n".join(content))
    return HttpResponse(status, html.encode("utf-8", "replace"), "text/html", HEADERS)


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _list(items: Iterable[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"


def _button(text: str, link: str) -> str:
    return f'<p><a href="{escape(link)}" rel="noreferrer">{escape(text)}</a></p>'
