"""The page of a user study, as participants use it."""

import tempfile
from pathlib import Path

from pages import DESK, PHONE, WebTest
from study import study

NO_MEMORY = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });"
# Keys of a participant's answers in turn: left, right, both and then left or right, by number or by arrow.
ANSWERS = [["1"], ["2"], ["3", "1"], ["3", "2"], ["ArrowLeft", "Enter"], ["ArrowRight", "Enter"]]


def count(opened):
    return opened.page.locator("#count").text_content()


def begin(opened):
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.press("Enter")


def press(opened, keys):
    for key in keys:
        opened.page.keyboard.press(key)


class Participants(WebTest):
    def setUp(self):
        self.study = study()
        self.questions = {question["id"]: question for question in self.study.key["questions"]}

    def answer_all(self, opened):
        """Answers all questions by keyboard: attention checks correctly, others by ANSWERS in turn."""
        begin(opened)
        for number in range(len(self.questions)):
            self.assertEqual(count(opened), f"{number} of {len(self.questions)}")
            self.assert_sound(opened, pictures=4)
            shown = self.questions[opened.page.evaluate("order[participant.answers.length].id")]
            right = {"left": ["1"], "right": ["2"]}.get(shown.get("check"))
            press(opened, right or ANSWERS[number % len(ANSWERS)])

    def save(self, opened, folder):
        with opened.page.expect_download() as download:
            press(opened, ["Tab", "Enter"])
        path = Path(folder) / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def test_answer_by_keyboard_on_any_screen_and_are_tallied(self):
        with tempfile.TemporaryDirectory() as folder:
            for device in [DESK, PHONE]:
                opened = self.open_page(self.study.page, device)
                self.assert_sound(opened, pictures=0)
                self.answer_all(opened)
                self.assertEqual(opened.page.locator("#thanks").text_content(), "Thank you")
                path = self.save(opened, folder)
                self.assertIn(path.name, opened.page.locator("#status").text_content())
                self.assertEqual(path.read_text(), opened.page.locator("#text").input_value())
                self.assert_sound(opened)
            tally = self.study.tally(folder)
        self.assertEqual((tally["participants"], tally["incomplete"], tally["inattentive"]), (2, 0, []))
        self.assertEqual({method["method"] for method in tally["methods"]}, {"bicyclegan_v0", "bicyclegan_v3-1"})
        self.assertEqual([method["realism"]["answers"] for method in tally["methods"]], [10, 10])

    def test_answer_by_touch(self):
        opened = self.open_page(self.study.page, PHONE)
        opened.page.locator("#start").tap()
        opened.page.locator("[data-answer=both]").tap()
        self.assertIn("closer to the wanted style", opened.page.locator("#question").text_content())
        self.assertFalse(opened.page.locator("[data-answer=both]").is_visible())
        opened.page.locator("[data-answer=right]").tap()
        self.assertEqual(count(opened), f"1 of {len(self.questions)}")
        self.assert_sound(opened, pictures=4)

    def test_continue_where_they_stopped_and_take_answers_back(self):
        opened = self.open_page(self.study.page)
        begin(opened)
        press(opened, ["1", "3", "2", "3"])
        before = opened.page.evaluate("JSON.stringify([order.map((question) => question.id), participant])")
        opened.page.reload()
        self.assertEqual(count(opened), f"2 of {len(self.questions)}")
        self.assertIn("Welcome back", opened.page.locator("#status").text_content())
        after = opened.page.evaluate("JSON.stringify([order.map((question) => question.id), participant])")
        self.assertEqual(after, before)
        opened.page.locator("#back").click()
        self.assertEqual(count(opened), f"1 of {len(self.questions)}")
        self.assert_sound(opened, pictures=4)

    def test_save_what_they_have_and_leave_the_page_to_another(self):
        opened = self.open_page(self.study.page)
        begin(opened)
        press(opened, ["1", "2"])
        with opened.page.expect_download() as download:
            opened.page.locator("#stop").click()
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "part.json"
            download.value.save_as(part)
            self.assertEqual(self.study.tally("--keep-inattentive", part)["incomplete"], 1)
        for _ in range(len(self.questions) - 2):
            press(opened, ["1"])
        self.assertFalse(opened.page.locator("#another").is_visible())
        first = opened.page.evaluate("participant.id")
        with opened.page.expect_download():
            opened.page.locator("#save").click()
        opened.page.locator("#another").click()
        self.assertNotEqual(opened.page.evaluate("participant.id"), first)
        self.assertEqual(count(opened), f"0 of {len(self.questions)}")
        self.assert_sound(opened, pictures=0)

    def test_are_warned_if_the_browser_stores_nothing_but_can_answer(self):
        opened = self.open_page(self.study.page, before=NO_MEMORY)
        self.answer_all(opened)
        self.assertTrue(opened.page.locator("#warning").is_visible())
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.study.tally(self.save(opened, folder))["participants"], 1)

    def test_see_the_questions_in_orders_of_their_own_and_no_method_s_name(self):
        orders = set()
        for _ in range(3):
            opened = self.open_page(self.study.page)
            orders.add(tuple(opened.page.evaluate("order.map((question) => question.id)")))
        self.assertTrue(len(orders) > 1 and all(set(order) == set(self.questions) for order in orders))
        text = self.study.page.read_text()
        for name in self.study.key["methods"].values():
            self.assertNotIn(name, text)

    def test_see_light_text_on_dark_where_they_want_that(self):
        brightness = "Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
        for scheme, dark in [("light", False), ("dark", True)]:
            opened = self.open_page(self.study.page, color_scheme=scheme)
            self.assertEqual(opened.page.evaluate(brightness) < 128, dark)
