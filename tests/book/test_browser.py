"""The built book in a real browser: what a reader sees, offline, in both themes and on a phone.

Skipped where no Chromium is found; continuous integration (the variable ``CI``) requires one.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOCAL = ("file:", "data:", "blob:", "about:")


@pytest.fixture(scope="module")
def browser():
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        message = f"no browser found ({', '.join(BROWSERS)}): install the package chromium to test the pages"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


class Reader:
    """A page that remembers what went wrong on it."""

    def __init__(self, browser, viewport, theme="light"):
        self.page = browser.new_page(viewport=viewport, color_scheme=theme)
        self.page.set_default_timeout(15_000)
        self.problems: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.page.on("requestfailed", self._failed)

    def _console(self, message):
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def _failed(self, request):
        """A file that is not there; a request that the next page cut short is no fault of the book."""
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"missing: {request.url} ({request.failure})")

    def _request(self, request):
        if not request.url.startswith(LOCAL):
            self.problems.append(f"request: {request.url}")

    def open(self, path: Path, fragment: str = ""):
        """Open a page afresh and wait until its tables are ready."""
        self.page.goto("about:blank")
        self.page.goto(path.as_uri() + fragment)
        if self.page.locator("table.edgedl-table").count():
            self.page.wait_for_selector("html[data-tables=ready]", state="attached")
        return self.page


@pytest.fixture
def reader(browser):
    opened = []

    def open_reader(viewport=DESKTOP, theme="light") -> Reader:
        opened.append(Reader(browser, viewport, theme))
        return opened[-1]

    yield open_reader
    for one in opened:
        one.page.close()


def html_pages(book: Path) -> list[Path]:
    """Every page that a reader can reach; Sphinx's own helpers aside."""
    pages = [*(book / "book").rglob("*.html"), *(book / "notebooks").glob("*.html")]
    assert pages, f"{book} holds no pages"
    return sorted(pages)


def chapters(book: Path) -> list[Path]:
    """The chapters that hold at least one claim card."""
    found = [page for page in (book / "notebooks").glob("*.html") if "edgedl-claim" in page.read_text(encoding="utf-8")]
    assert found, "no chapter shows a claim"
    return sorted(found)


def test_no_page_errs_or_leaves_the_disk(book, reader):
    one = reader()
    for path in html_pages(book):
        one.open(path).wait_for_load_state("load")
    assert not one.problems


def test_every_page_fits_a_phone(book, reader):
    one = reader(PHONE)
    too_wide = {}
    for path in html_pages(book):
        width = one.open(path).evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            too_wide[path.name] = width
    assert not too_wide


def test_no_internal_link_or_anchor_is_broken(book):
    texts = {path.resolve(): path.read_text(encoding="utf-8") for path in book.rglob("*.html")}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    broken = []
    for path in map(Path.resolve, html_pages(book)):
        for link in set(re.findall(r'<a\b[^>]*?href="([^"]+)"', texts[path])):
            url = urlparse(link.replace("&amp;", "&"))
            if url.scheme:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            filters = target.name == "scoreboard.html" and "=" in url.fragment
            known = anchors.get(target, ()) if target.suffix == ".html" else ()
            if not target.exists() or (url.fragment and not filters and unquote(url.fragment) not in known):
                broken.append((path.name, link))
    assert not broken


def test_images_have_alternative_text(book, reader):
    one = reader()
    bare = {}
    for path in html_pages(book):
        script = "[...document.images].filter(i => !i.alt.trim() || /^(\\.\\.\\/)?_images/.test(i.alt)).map(i => i.src)"
        if found := one.open(path).evaluate(script):
            bare[path.name] = found
    assert not bare


def test_the_search_works_without_a_server(book, reader):
    one = reader()
    page = one.page
    page.goto((book / "search.html").as_uri() + "?q=Neurosurgeon")
    page.wait_for_selector("#search-results li a")
    found = page.locator("#search-results li a").evaluate_all("e => e.map(a => a.getAttribute('href'))")
    assert any("scoreboard" in link for link in found) and any("bibliography" in link for link in found)
    assert not one.problems


# the scoreboard


def scoreboard(book: Path, one: Reader, fragment: str = ""):
    return one.open(book / "book" / "scoreboard.html", fragment)


def column(page, label: str) -> list[str]:
    return [text.strip() for text in page.locator(f'#claims tbody td[data-label="{label}"]').all_inner_texts()]


def show_all(page) -> None:
    page.evaluate("(new window.edgedlDataTable.Api('#claims')).page.len(-1).draw()")


def test_the_scoreboard_sorts_by_number(book, reader):
    page = scoreboard(book, reader())
    show_all(page)
    head = page.locator("#claims thead th", has_text="Measured")
    orders = "e => e.map(td => Number(td.dataset.order))"
    head.click()
    page.wait_for_selector("#claims thead th[aria-sort=ascending]")
    up = page.locator('#claims tbody td[data-label="Measured"]').evaluate_all(orders)
    head.click()
    page.wait_for_selector("#claims thead th[aria-sort=descending]")
    down = page.locator('#claims tbody td[data-label="Measured"]').evaluate_all(orders)
    assert up == sorted(up) and down == sorted(up, reverse=True) and len(set(up)) > 1


@pytest.mark.parametrize("label", ["System", "Section", "Table", "Verdict"])
def test_the_scoreboard_filters_by_each_dropdown(book, reader, label):
    page = scoreboard(book, reader())
    show_all(page)
    everything = len(column(page, "Verdict"))
    chosen = page.locator(f'.edgedl-filters select[name="{label.lower()}"]')
    values = [value for value in chosen.locator("option").evaluate_all("e => e.map(o => o.value)") if value]
    counts = []
    for value in values:
        chosen.select_option(value)
        shown = column(page, label)
        assert shown and all(text.startswith(value) for text in shown)
        counts.append(len(shown))
    chosen.select_option("")
    assert sum(counts) <= len(column(page, label)) == everything


def test_the_address_sets_a_filter_and_search_narrows(book, reader):
    page = scoreboard(book, reader(), "#verdict=not+run")
    assert set(column(page, "Verdict")) == {"not run"}
    page.locator('.edgedl-filters select[name="verdict"]').select_option("")
    page.locator(".dt-search input").fill("no such claim anywhere")
    page.wait_for_selector("#claims td.dt-empty")


def test_a_row_leads_to_the_card_that_measured_it(book, reader):
    one = reader()
    page = scoreboard(book, one)
    show_all(page)
    link = page.locator('#claims td[data-label="Claim"] a').first
    fragment = link.get_attribute("href").partition("#")[2]
    link.click()
    page.wait_for_url("**/notebooks/*.html#*")
    card = page.locator(f"[id='{fragment}']")
    assert card.is_visible() and "edgedl-claim" in card.get_attribute("class")
    assert not one.problems


def test_on_a_phone_a_row_is_a_card_and_still_sorts(book, reader):
    page = scoreboard(book, reader(PHONE))
    assert page.locator("#claims tbody tr").first.evaluate("e => getComputedStyle(e).display") == "block"
    page.get_by_label("Sort by").select_option(label="System")
    systems = column(page, "System")
    assert systems == sorted(systems, key=str.lower)


# a chapter


def contrast(page, selector: str) -> float:
    """The WCAG contrast of the first such element: its text against what lies behind it."""
    script = """element => {
      const rgba = text => (text.match(/[\\d.]+/g) || []).map(Number);
      const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      let behind = element;
      while (behind.parentElement && (rgba(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0)
        behind = behind.parentElement;
      const ink = getComputedStyle(element).color, paper = getComputedStyle(behind).backgroundColor;
      const pair = [light(rgba(ink)), light(rgba(paper))];
      return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    }"""
    return page.locator(selector).first.evaluate(script)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cards_and_tables_are_readable_in_both_themes(book, reader, theme):
    one = reader(theme=theme)
    page = one.open(chapters(book)[0])
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    for selector in (
        ".edgedl-claim-head",
        ".edgedl-claim dt",
        ".edgedl-claim dd",
        ".edgedl-verdict",
        ".edgedl-claim code",
    ):
        assert contrast(page, selector) >= 4.5, selector
    page = scoreboard(book, one)
    for selector in ("#claims th", '#claims td[data-label="Measured"]', ".edgedl-pill", ".edgedl-filters select"):
        assert contrast(page, selector) >= 4.5, selector


def test_the_theme_really_changes_the_card(book, reader):
    script = "getComputedStyle(document.querySelector('.edgedl-claim')).backgroundColor"
    shades = {reader(theme=theme).open(chapters(book)[0]).evaluate(script) for theme in ("light", "dark")}
    assert len(shades) == 2


def test_a_prediction_opens_its_figure(book, reader):
    for path in chapters(book):
        page = reader().open(path)
        question = page.locator(".edgedl-predict").first
        shown = ("img", ".cell_output table", ".edgedl-clickable > svg")
        figure = page.locator(", ".join(f".tag_predict-reveal {kind}" for kind in shown)).first
        assert not figure.is_visible(), f"{path.name}: the answer shows before the question is answered"
        answer = question.get_attribute("data-answer")
        values = question.locator("option").evaluate_all("e => e.map(o => o.value)")
        assert answer in values, f"{path.name}: the right answer {answer!r} is not among the choices"
        question.locator("select").select_option(next(v for v in values if v and v != answer))
        assert figure.is_visible()
        assert page.locator(".edgedl-clickable details[open]").count() == 0, "only the figure opens, not its details"
        assert "edgedl-predict-wrong" in question.get_attribute("class")
        question.locator("select").select_option(answer)
        assert "edgedl-predict-right" in question.get_attribute("class")


def test_a_point_of_a_clickable_figure_opens_what_stands_behind_it(book, reader):
    pages = [path for path in chapters(book) if "edgedl-clickable" in path.read_text(encoding="utf-8")]
    assert pages, "no chapter holds a clickable figure"
    for path in pages:
        one = reader()
        page = one.open(path)
        page.evaluate("document.querySelectorAll('.edgedl-locked').forEach(e => e.classList.remove('edgedl-locked'))")
        page.evaluate("document.querySelectorAll('details.hide').forEach(e => { e.open = true })")
        points = page.locator(".edgedl-clickable svg a")
        assert points.count() > 1
        for index in range(points.count()):
            target = points.nth(index).get_attribute("xlink:href")
            points.nth(index).evaluate("e => e.dispatchEvent(new MouseEvent('click', {bubbles: true, view: window}))")
            page.wait_for_function("hash => location.hash === hash", arg=target)
            assert page.locator(f"[id='{target[1:]}']").is_visible(), f"{path.name}: {target} stays closed"
        assert not one.problems


def test_formulas_are_set_by_the_local_mathjax(book, reader):
    for path in chapters(book):
        page = reader().open(path)
        page.wait_for_selector("mjx-container svg", state="attached")
        page.wait_for_function("window.MathJax?.startup?.promise !== undefined")
        page.evaluate("MathJax.startup.promise")
        assert page.locator("mjx-merror, .MathJax_Error, [data-mjx-error]").count() == 0
        left = page.locator("span.math, div.math").evaluate_all(
            "e => e.filter(x => !x.querySelector('mjx-container')).length"
        )
        assert left == 0


# the landing page


@pytest.mark.parametrize(("viewport", "shown"), [(DESKTOP, "wide"), (PHONE, "tall")])
def test_one_map_is_shown_and_the_keyboard_reaches_its_chapters(book, reader, viewport, shown):
    one = reader(viewport)
    page = one.open(book / "book" / "index.html")
    assert page.locator(f".edgedl-map-{shown}").is_visible()
    assert page.locator(".edgedl-map:visible").count() == 1
    link = page.locator(f".edgedl-map-{shown} a").first
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/notebooks/*.html")
    assert not one.problems


def test_citations_of_a_table_lead_to_the_bibliography(book, reader):
    page = reader().open(book / "book" / "tables" / "table-5.html")
    page.locator('a[href$="#ref12"]').first.click()
    page.wait_for_url("**/bibliography.html#ref12")
    assert page.locator("#ref12").inner_text().replace("\n", " ").startswith("[12]")
