"""The page of the service, in a real browser."""

import re
import shutil
from itertools import pairwise

import pytest
from playwright.sync_api import expect, sync_playwright

from rsutils.serve.service import running
from tests.page_server import MARKUP, TITLES, Failure, PageServer
from tests.small_system import small_system

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the path")
EXPECTED_FAILURE = "Failed to load resource"
COMPARED = "/?user=0&variant=fp32&variant=int8"

CONTRASTS = """() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    const colour = parts(getComputedStyle(element).backgroundColor);
    return colour.length === 3 || colour[3] === 1 ? colour : ground(element.parentElement);
  };
  const bad = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [parts(getComputedStyle(element).color), ground(element)].map(light);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push([element.textContent, ratio]);
  }
  return bad;
}"""

PLACE = """() => {
  const { left, bottom } = document.activeElement.getBoundingClientRect();
  return [Math.round((bottom + scrollY) / 8), Math.round(left)];
}"""


@pytest.fixture(scope="module")
def started():
    server = PageServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(started):
    started.reset()
    return started


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


class Visit:
    """A page, what it asked for, and what its console complained of."""

    def __init__(self, context, address):
        self.address, self.page = address, context.new_page()
        self.page.set_default_timeout(10_000)
        self.addresses, self.complaints = [], []
        self.page.on("request", lambda request: self.addresses.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning") and self.complaints.append(message.text)
            ),
        )

    def open(self, address):
        self.page.goto(self.address + address)
        expect(self.page.locator("#served")).to_contain_text("data set")
        return self.page

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def titles(self, variant="fp32"):
        return self.page.locator(f"[data-variant={variant}] .title")

    def sent_outside(self):
        return [url for url in self.addresses if not url.startswith(self.address + "/")]


@pytest.fixture(scope="module")
def context(browser):
    return browser.new_context()


@pytest.fixture
def visits(browser, context, server):
    """Opens pages; afterwards none may have called another host or complained unexpectedly.

    Pages with settings have a context of their own; the others share one, which spares time.
    """
    opened = []

    def visit(address=server.address, **settings):
        chosen = browser.new_context(**settings) if settings else context
        opened.append(Visit(chosen, address))
        return opened[-1]

    yield visit
    for one in opened:
        one.page.close()
        assert one.addresses
        assert not one.sent_outside()
        assert not one.complaints


@pytest.fixture
def visit(visits):
    return visits()


def forgive_failed_calls(visit):
    """The browser itself reports answers of status 400 and above, which a test asked for."""
    assert visit.complaints
    assert all(text.startswith(EXPECTED_FAILURE) for text in visit.complaints)
    visit.complaints.clear()


def test_a_user_gets_films_with_titles_categories_and_reasons(visit):
    page = visit.open("/")
    visit.button("0 2 films").click()
    expect(page.locator("#results")).to_have_text("Recommendations for user 0")
    expect(visit.titles()).to_have_count(10)
    first = page.locator(".card").first
    expect(first.locator(".title")).to_have_text(TITLES[2])
    expect(first.locator(".tags")).to_have_text("war")
    expect(first.locator(".reason")).to_have_text(f"Because you saw {TITLES[1]}")
    expect(first.locator(".number")).to_have_text("Score 3.000")
    expect(page.locator("#history li")).to_have_text([TITLES[1], TITLES[0]])
    assert page.url.endswith("/?user=0")


def test_an_id_can_be_typed_and_an_unknown_one_gets_what_is_popular(visit):
    page = visit.open("/")
    page.get_by_label("User id").fill("nobody")
    page.keyboard.press("Enter")
    expect(page.locator("#results")).to_have_text("Recommendations for user nobody")
    expect(page.locator(".column .notice")).to_contain_text("Nothing is known yet of who asks")
    expect(page.locator(".reason").first).to_have_text("Popular with everybody")
    expect(page.locator("#history")).to_contain_text("knows nothing of user nobody")


def test_the_last_resort_is_told_apart_from_an_unknown_user(visit, server):
    server.source = "popularity"
    page = visit.open("/?user=0")
    expect(page.locator(".column .notice")).to_contain_text("could not answer this time")


def test_time_stages_cache_and_source_are_shown(visit):
    page = visit.open("/?user=0")
    facts = page.locator(".facts").first
    expect(facts).to_contain_text("model demo-2")
    expect(facts).to_contain_text("miss: worked out for this request")
    expect(facts).to_contain_text("retrieval 0.25 ms, ranking 0.75 ms")
    expect(facts).to_contain_text(re.compile(r"In the browser\s*[\d.]+ ms"))
    visit.button("Ask again").click()
    expect(facts).to_contain_text("hit: kept from an earlier request")
    expect(page.locator("#news")).to_contain_text("cache hit")


def test_a_history_is_built_by_the_keyboard_alone(visit):
    page = visit.open("/")
    for _ in range(3):  # skip link, then the radio buttons
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "user":
            break
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("My own history")).to_be_checked()
    page.keyboard.press("Tab")
    search = page.get_by_role("combobox", name="Add a film that you have seen")
    expect(search).to_be_focused()
    page.keyboard.type("kouth")
    expect(page.get_by_role("option")).to_have_count(3)
    expect(search).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_contain_text("The Letter of Kouth")
    page.keyboard.press("Enter")
    expect(page.locator("#history li")).to_have_count(1)
    expect(page.locator(".reason").first).to_have_text("Because you saw The Letter of Kouth")
    expect(search).to_be_focused()
    page.keyboard.press("Tab")
    expect(visit.button("Clear")).to_be_focused()
    page.keyboard.press("Tab")
    expect(visit.button("Remove: The Letter of Kouth")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#history")).to_contain_text("Empty")
    expect(page.locator("#history-title")).to_be_focused()
    expect(page.locator(".reason").first).to_have_text("Popular with everybody")


def test_escape_closes_the_search_and_then_empties_it(visit):
    page = visit.open("/?history=3")
    search = page.get_by_role("combobox", name="Add a film")
    search.fill("orbit")
    expect(page.get_by_role("listbox")).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("option", selected=True)).to_contain_text("Venor")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(search).to_have_value("orbit")
    page.keyboard.press("Escape")
    expect(search).to_have_value("")
    search.fill("nowhere")
    expect(page.locator("#search-help")).to_have_text("No title contains “nowhere”.")


def test_what_a_known_user_has_seen_goes_to_the_service(visit, server):
    page = visit.open("/?user=0")
    seen = visit.button(f"I have seen this: {TITLES[2]}")
    seen.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#history li").first).to_have_text(TITLES[2])
    expect(visit.titles().first).to_have_text(TITLES[3])
    expect(visit.button(f"I have seen this: {TITLES[3]}")).to_be_focused()
    (event,) = server.received
    assert (event["user"], event["item"], event["kind"]) == ("0", "2", "finish")
    assert re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", event["id"])


def test_what_was_seen_joins_a_history_of_the_page(visit, server):
    page = visit.open("/?history=3")
    visit.button(f"I have seen this: {TITLES[0]}").click()
    expect(page.locator("#history li span")).to_have_text([TITLES[0], TITLES[3]])
    assert page.url.endswith("/?history=3&history=0")
    assert not server.received


def test_variants_stand_side_by_side_with_what_moved(visit):
    page = visit.open("/?user=0")
    page.get_by_label("int8").check()
    expect(page.locator("#overlap li")).to_have_text(
        "int8 shows 9 of the 10 films of fp32, 1 of them in the same place."
    )
    marks = page.locator("[data-variant=int8] .move")
    expect(marks.nth(0)).to_have_text("Same place as in fp32")
    expect(marks.nth(1)).to_have_text("▲ 1 up, place 3 in fp32")
    expect(marks.nth(4)).to_have_text("▼ 1 down, place 4 in fp32")
    expect(marks.nth(9)).to_have_text("Not in fp32")
    lost = page.locator("[data-variant=fp32] .card.only")
    expect(lost).to_have_count(1)
    expect(lost.locator(".move")).to_have_text("Not in int8")
    facts = page.locator("[data-variant=int8] .facts").nth(1)
    for text in (
        "1.00 MB, 25 % of the first",
        "0.1240 (0.120 to 0.128)",
        "0.50 ms",
        "0.75 ms (median of 1)",
    ):
        expect(facts).to_contain_text(text)
    assert page.url.endswith(COMPARED)


def test_moves_agree_with_a_comparison_by_hand(visit):
    page = visit.open("/")
    found = page.evaluate(
        """async () => {
          const { compareLists, median } = await import("/page/moves.js");
          const { moves, shared, same } = compareLists(["a", "b", "c"], ["a", "c", "d"]);
          return [Object.fromEntries(moves), shared, same, median([3, 1, 2]), median([4, 1]),
            median([]) ?? "none"];
        }"""
    )
    assert found == [
        {
            "a": {"kind": "same", "from": 1, "to": 1},
            "c": {"kind": "up", "from": 3, "to": 2},
            "d": {"kind": "only", "to": 3},
        },
        2, 1, 2, 2.5, "none",
    ]  # fmt: skip


def test_measuring_counts_each_variant_on_every_user(visit):
    page = visit.open(COMPARED)
    visit.button("Measure with 2 users").click()
    for variant in ("fp32", "int8"):
        facts = page.locator(f"[data-variant={variant}] .facts").nth(1)
        expect(facts).to_contain_text("Ranking, measured0.75 ms (median of 2)")
        expect(facts).to_contain_text("(median of 3)")


def test_categories_and_number_narrow_the_list(visit):
    page = visit.open("/?user=0")
    page.get_by_label("drama").check()
    expect(visit.titles()).to_have_count(7)
    expect(page.locator(".tags").first).to_have_text("drama")
    page.get_by_label("How many").fill("3")
    page.get_by_label("How many").press("Tab")
    expect(visit.titles()).to_have_count(3)
    assert page.url.endswith("/?user=0&k=3&category=drama")


def test_a_list_without_films_says_what_to_do(visit):
    page = visit.open("/?user=0")
    page.get_by_label("opera").check()
    expect(page.locator(".column .empty")).to_have_text(re.compile("^No film fits. Choose other"))
    expect(page.get_by_label("opera")).to_be_focused()
    expect(page.locator("#news")).to_contain_text("0 recommendations for user 0")


def test_a_number_that_the_service_refuses_is_not_asked_for(visit):
    page = visit.open("/?user=0")
    page.get_by_label("How many").fill("101")
    page.get_by_label("How many").press("Tab")
    assert page.get_by_label("How many").evaluate("box => box.validity.rangeOverflow")
    assert page.url.endswith("/?user=0")


def test_more_like_this_and_back_to_where_one_was(visit):
    page = visit.open("/?user=0")
    more = visit.button(f"More like this: {TITLES[2]}")
    more.click()
    dialog = page.get_by_role("dialog", name=f"More like {TITLES[2]}")
    expect(dialog.locator(".reason").first).to_have_text(f"Similar to {TITLES[2]}")
    expect(dialog.locator(".card")).to_have_count(10)
    assert "like=2" in page.url
    dialog.get_by_role("button", name=f"I have seen this: {TITLES[3]}").click()
    expect(dialog.get_by_role("status")).to_have_text(f"{TITLES[3]} is in the history.")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(more).to_be_focused()
    assert page.url.endswith("/?user=0")


def test_the_address_restores_the_view_and_back_goes_back(visit):
    page = visit.open("/?history=3&history=8&k=4&category=war&variant=int8&like=3")
    expect(page.get_by_role("dialog", name=f"More like {TITLES[3]}")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("My own history")).to_be_checked()
    expect(page.get_by_label("war")).to_be_checked()
    expect(page.locator("#history li span")).to_have_text([TITLES[8], TITLES[3]])
    expect(visit.titles("int8")).to_have_count(4)
    page.get_by_label("war").uncheck()
    page.get_by_label("fp32").check()
    expect(page.locator(".column")).to_have_count(2)
    page.go_back()
    expect(page.locator(".column")).to_have_count(1)
    expect(page.get_by_label("fp32")).not_to_be_checked()
    page.go_back()
    expect(page.get_by_label("war")).to_be_checked()
    page.reload()
    expect(visit.titles("int8")).to_have_count(4)


def test_a_busy_service_is_asked_once_more_when_it_said(visits, server):
    visit = visits(viewport={"width": 1280, "height": 720})  # the clock is the context's
    server.failures = [Failure("/recommend", 503, "The queue is full.", {"Retry-After": "3"})]
    visit.page.clock.install(time=0)
    visit.page.clock.pause_at(1)
    page = visit.open("/?user=0")
    expect(page.get_by_role("alert").first).to_contain_text(
        "The service is busy. It is asked again in 3 s. It said: The queue is full."
    )
    page.clock.run_for(2900)
    assert sum("/recommend" in url for url in visit.addresses) == 1
    page.clock.run_for(200)
    expect(visit.titles()).to_have_count(10)
    expect(page.locator("#problem")).to_be_empty()
    forgive_failed_calls(visit)


def test_a_service_that_stays_busy_is_not_pressed(visit, server):
    failure = Failure("/recommend", 503, "The queue is full.", {"Retry-After": "0"}, times=2)
    server.failures = [failure]
    page = visit.open("/?user=0")
    expect(page.locator("#problem")).to_contain_text("It was asked twice.")
    expect(page.locator("#problem strong")).to_have_text("The queue is full.")
    assert sum("/recommend" in url for url in visit.addresses) == 2
    visit.button("Try again").click()
    expect(visit.titles()).to_have_count(10)
    expect(page.locator("#problem")).to_be_empty()
    forgive_failed_calls(visit)


def test_a_refusal_shows_its_sentence_and_the_way_on(visit):
    page = visit.open("/?user=0&variant=int2")
    expect(page.locator("#problem strong")).to_have_text("No variant is named 'int2'.")
    visit.button("Start afresh").click()
    expect(page.locator("#problem")).to_be_empty()
    expect(page.locator("#results")).to_have_text("Recommendations for somebody unknown")
    forgive_failed_calls(visit)


def test_a_refused_event_leaves_the_list_as_it_is(visit, server):
    server.failures = [Failure("/events", 422, "Item '2' is not known.")]
    page = visit.open("/?user=0")
    visit.button(f"I have seen this: {TITLES[2]}").click()
    expect(page.locator("#problem strong")).to_have_text("Item '2' is not known.")
    expect(visit.titles().first).to_have_text(TITLES[2])
    forgive_failed_calls(visit)


def test_a_stopped_service_is_waited_for(visit, server):
    page = visit.open("/?user=0")
    expect(visit.titles()).to_have_count(10)
    server.stop()
    try:
        visit.button("Ask again").click()
        problem = page.locator("#problem")
        expect(problem).to_contain_text("The service does not answer. Start it with")
        expect(problem.locator("code")).to_have_text("python -m rsutils serve MODELS")
    finally:
        server.start()
    expect(visit.titles()).to_have_count(10)
    expect(problem).to_be_empty()
    forgive_failed_calls(visit)


def test_waiting_is_said(visit, server):
    server.gate.clear()
    page = visit.open("/?user=0")
    try:
        expect(page.locator("#progress")).to_be_visible()
        expect(page.locator("#lists")).to_have_attribute("aria-busy", "true")
    finally:
        server.gate.set()
    expect(page.locator("#progress")).to_be_hidden()
    expect(page.locator("#lists")).to_have_attribute("aria-busy", "false")


def test_titles_are_text_whatever_is_in_them(visit):
    page = visit.open("/?history=5")
    expect(page.locator("#history li span")).to_have_text(MARKUP)
    expect(page.locator(".reason").first).to_have_text(f"Because you saw {MARKUP}")
    page.get_by_role("combobox", name="Add a film").fill("star of")
    expect(page.locator("#search-list li")).to_have_count(7)
    visit.open("/?user=0&like=5")
    expect(page.get_by_role("dialog", name=f"More like {MARKUP}")).to_be_visible()
    expect(page.locator("#lists .title").nth(3)).to_have_text(MARKUP)
    assert page.locator("img").count() == 0
    assert "broken" not in page.title()


def test_models_are_rolled_back_and_activated(visit, server):
    page = visit.open("/?user=0")
    expect(page.locator("#store")).to_contain_text("in Redis")
    visit.button("Roll back to demo-1").click()
    expect(page.locator("#models-news")).to_have_text("demo-1 answers from here on.")
    expect(page.locator("#served")).to_contain_text("Model demo-1")
    expect(page.locator(".facts").first).to_contain_text("model demo-1")
    expect(visit.button("Roll back to demo-2")).to_be_focused()
    visit.button("Activate: demo-3").click()
    expect(page.locator("#served")).to_contain_text("Model demo-3")
    assert (server.active, server.previous) == ("demo-3", "demo-1")


def test_a_damaged_model_is_told_and_the_old_one_goes_on(visit, server):
    server.failures = [Failure("/models/activate", 409, "demo-3 is damaged: weights.npz changed.")]
    page = visit.open("/?user=0")
    visit.button("Activate: demo-3").click()
    expect(page.locator("#models-problem")).to_contain_text(
        "demo-3 is damaged: weights.npz changed. The model that answered goes on."
    )
    expect(page.locator("#served")).to_contain_text("Model demo-2")
    expect(visit.titles()).to_have_count(10)
    forgive_failed_calls(visit)


def test_a_token_is_asked_for_where_one_is_needed(visit, server):
    server.failures = [Failure("/models/activate", 403, "The token is missing or wrong.")]
    page = visit.open("/?user=0")
    expect(page.locator("#token-form")).to_be_hidden()
    visit.button("Activate: demo-3").click()
    expect(page.locator("#models-problem")).to_contain_text("The token is missing or wrong.")
    page.get_by_label("Token").fill("secret")
    visit.button("Use it").click()
    expect(page.locator("#served")).to_contain_text("Model demo-3")
    expect(page.locator("#models-problem")).to_be_empty()
    assert server.tokens == [None, "Bearer secret"]
    forgive_failed_calls(visit)


@pytest.mark.parametrize("address", ["/", COMPARED, "/?history=5&like=5", "/?user=0&variant=int2"])
def test_nothing_scrolls_sideways_at_320_pixels(visits, address):
    visit = visits(viewport={"width": 320, "height": 640})
    page = visit.open(address)
    expect(page.locator(".card, #problem strong").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 320
    if "int2" in address:
        forgive_failed_calls(visit)


def test_on_a_phone_the_films_come_before_options_and_figures(visits):
    visit = visits(viewport={"width": 320, "height": 640})
    page = visit.open("/?user=0&category=war")
    expect(visit.titles()).to_have_count(8)
    options, figures = page.locator("#options summary"), page.locator(".column summary")
    expect(options).to_have_text("Options 10 films, fp32, war")
    expect(page.get_by_label("How many")).to_be_hidden()
    expect(page.locator(".facts").first).to_be_hidden()
    options.focus()
    page.keyboard.press("Enter")
    page.get_by_label("war").uncheck()
    page.get_by_label("int8").check()
    expect(visit.titles("int8")).to_have_count(10)
    expect(page.get_by_role("checkbox", name="int8")).to_be_focused()
    figures.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-variant=fp32] .facts").first).to_be_visible()
    page.get_by_label("How many").fill("3")
    page.get_by_label("How many").press("Tab")
    expect(visit.titles("int8")).to_have_count(3)
    expect(page.locator("[data-variant=fp32] .facts").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_options_fold_as_the_window_gets_narrow(visits):
    visit = visits(viewport={"width": 1280, "height": 720})
    page = visit.open("/?user=0")
    expect(page.get_by_label("How many")).to_be_visible()
    expect(page.locator("#options summary")).to_be_hidden()
    page.set_viewport_size({"width": 320, "height": 640})
    expect(page.get_by_label("How many")).to_be_hidden()
    expect(page.locator("#options summary")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 720})
    expect(page.get_by_label("How many")).to_be_visible()


def test_on_a_phone_the_keyboard_goes_down_the_page(visits):
    visit = visits(viewport={"width": 320, "height": 640})
    page = visit.open("/?user=0&k=2")
    expect(visit.titles()).to_have_count(2)
    page.locator("#options summary").click()
    page.keyboard.press("Shift+Tab")
    tops = []
    while page.evaluate("document.activeElement !== document.body") and len(tops) < 60:
        tops.append(page.evaluate(PLACE))
        page.keyboard.press("Tab")
    assert 15 < len(tops) < 60
    assert tops == sorted(tops)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(visits, scheme):
    visit = visits(color_scheme=scheme)
    page = visit.open(COMPARED + "&variant=none")
    expect(page.locator("#problem strong")).to_be_visible()
    assert page.evaluate(CONTRASTS) == []
    visit.open(COMPARED)
    expect(visit.titles("int8")).to_have_count(10)
    page.get_by_role("combobox", name="Add a film").fill("star")
    expect(page.get_by_role("option").first).to_be_visible()
    assert page.evaluate(CONTRASTS) == []
    forgive_failed_calls(visit)


def test_every_control_has_a_name_and_the_headings_go_down_in_steps(visit):
    page = visit.open(COMPARED)
    expect(visit.titles("int8")).to_have_count(10)
    tree = page.locator("body").aria_snapshot()
    for role in ("button", "textbox", "combobox", "checkbox", "radio", "spinbutton", "listbox"):
        assert not re.search(rf"- {role}(?! \")", tree), role
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].filter((one) => one.checkVisibility())"
        ".map((one) => Number(one.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_first_key_leads_past_the_controls(visit):
    page = visit.open("/?user=0")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the recommendations")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(visit.button("Ask again")).to_be_focused()


def test_the_page_keeps_nothing(visit):
    page = visit.open("/?user=0")
    visit.button(f"I have seen this: {TITLES[2]}").click()
    expect(page.locator("#history li").first).to_have_text(TITLES[2])
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [
        0, 0, "",
    ]  # fmt: skip
    assert page.context.storage_state() == {"cookies": [], "origins": []}


def test_the_real_service_understands_the_page(visits, tmp_path):
    models = tmp_path / "models"
    small_system(models / "small-1")
    shutil.copytree(models / "small-1", models / "small-2")
    with running(models, model="small-1", deadline_ms=10_000) as service:
        visit = visits(service.url)
        page = visit.open("/?user=3&variant=fp32&variant=int8")
        expect(visit.titles("int8")).to_have_count(10)
        expect(page.locator("#overlap li")).to_have_text(re.compile("int8 shows .* of fp32"))
        expect(page.locator(".reason").first).to_have_text(re.compile("Because you saw .+"))
        best = visit.titles().first.inner_text()
        visit.button(f"I have seen this: {best}").first.click()
        expect(page.locator("#history li").first).to_have_text(best)
        expect(visit.titles().first).not_to_have_text(best)
        visit.button("Ask again").click()
        expect(page.locator(".facts").first).to_contain_text("hit: kept from an earlier request")
        page.get_by_role("combobox", name="Add a film").fill("film 1")
        expect(page.locator("#search-list li").first).to_be_visible()
        visit.button("Activate: small-2").click()
        expect(page.locator("#served")).to_contain_text("Model small-2")
        visit.button("Roll back to small-1").click()
        expect(page.locator("#served")).to_contain_text("Model small-1")
        visit.open("/?history=5&history=7&category=Love&like=5")
        expect(page.locator("#like .reason").first).to_have_text(re.compile("Similar to <img"))
        expect(page.locator("#lists .tags").first).to_have_text("Love")
