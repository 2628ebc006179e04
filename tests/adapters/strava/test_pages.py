"""The pages of a sign-in: complete in themselves, escaped, and in words for the family."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.base import HttpResponse
from jitney.adapters.strava import pages

LINK = "https://www.strava.com/oauth/authorize?client_id=1&redirect_uri=http://localhost/strava/callback&state=x"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Read(HTMLParser):
    """A page as a browser sees it: its elements, links and text; fails where elements are not closed in order."""

    def __init__(self, page: HttpResponse) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page.body.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        names = [name for name, _ in attrs]
        assert not [name for name in names if name.startswith("on") or name in ("src", "action", "style")]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def every_page() -> dict[str, HttpResponse]:
    found = {code: pages.refused(code, name="Alice", again=LINK) for code in pages.REFUSALS}
    found["invitation"] = pages.invitation("Alice", LINK)
    found["connected"] = pages.connected("Alice")
    found["in part"] = pages.connected("Alice", missing=("activity:read_all", "profile:read_all"), again=LINK)
    return found


@pytest.mark.parametrize("name", sorted(every_page()))
def test_a_page_needs_nothing_from_elsewhere_and_is_kept_by_nobody(name: str) -> None:
    page = every_page()[name]
    assert page.content_type == "text/html"
    assert page.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert len(page.body) < 4096
    read = Read(page)
    assert set(read.links) <= {LINK}
    assert not {"script", "img", "link", "iframe", "form"} & set(read.elements)
    assert b"url(" not in page.body
    assert b"@import" not in page.body


@pytest.mark.parametrize("name", sorted(every_page()))
def test_a_page_can_be_read_on_a_phone_by_day_and_by_night(name: str) -> None:
    html = every_page()[name].body.decode()
    assert html.startswith('<!doctype html>\n<html lang="en">')
    assert '<meta charset="utf-8">' in html[:200]
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in html
    assert "prefers-color-scheme: dark" in html
    (title,), (heading,) = re.findall("<title>(.*)</title>", html), re.findall("<h1>(.*)</h1>", html)
    assert title == heading


@pytest.mark.parametrize("name", sorted(every_page()))
def test_a_page_talks_to_a_member_of_the_family(name: str) -> None:
    text = Read(every_page()[name]).text
    words = ["OAuth", "scope", "token", "state", "HTTP", "callback", "error", "owner id", "athlete", "config", "$"]
    assert [word for word in words if word in text.replace("strava.com/settings/api", "")] == []
    assert re.search(r"[.:”]", text)


def test_what_is_missing_is_named_as_it_stands_on_stravas_page_with_what_that_means() -> None:
    read = Read(every_page()["in part"])
    assert "without “View data about your private activities”, activities that only you can see" in read.text
    assert "without “View your complete Strava profile”, your bikes, shoes" in read.text
    assert read.links == [LINK]
    assert Read(pages.connected("Alice", missing=("read", "activity:read"), again=LINK)).links == []


def test_a_refusal_for_want_of_a_box_says_which() -> None:
    read = Read(pages.refused("missing_scope", name="Alice", again=LINK))
    assert "“View data about your activities”" in read.text
    assert "“View data about your private activities”" in read.text
    assert read.links == [LINK]


def test_a_refusal_of_another_account_names_nobody_but_whose_sign_in_it_is() -> None:
    for code in ("foreign_athlete", "claimed_athlete"):
        assert "Alice" in Read(pages.refused(code, name="Alice", again=LINK)).text


def test_an_unknown_code_has_a_page_too() -> None:
    page = pages.refused("disk_on_fire", name="Alice", again=LINK)
    assert page.status == 503
    assert Read(page).links == [LINK]


@pytest.mark.parametrize("code", sorted(pages.REFUSALS))
def test_no_refusal_looks_like_a_success(code: str) -> None:
    page = pages.refused(code)
    assert page.status >= 400
    assert Read(page).links == []


@given(st.text())
def test_no_name_gets_out_of_its_place(name: str) -> None:
    for code in ("foreign_athlete", "claimed_athlete"):
        plain = Read(pages.refused(code, name="Alice", again=LINK)).elements
        assert Read(pages.refused(code, name=name, again=LINK)).elements == plain
    assert Read(pages.connected(name)).elements == Read(pages.connected("Alice")).elements


@given(st.text())
def test_no_link_gets_out_of_its_place(link: str) -> None:
    read = Read(pages.invitation("Alice", link))
    assert read.elements == Read(pages.invitation("Alice", LINK)).elements
    assert read.links == [link]


def test_a_name_is_shown_as_it_is() -> None:
    name = '<b>Zoë & "Co"</b> $name ${x}'
    for page in (pages.connected(name), pages.invitation(name, LINK), pages.refused("foreign_athlete", name=name)):
        html = page.body.decode()
        assert name in unescape(html)
        assert "<b>" not in html
