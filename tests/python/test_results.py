"""Results in Python: load, runs, metrics, plan and run."""

import os
import signal
import subprocess
import sys
import time

import callsheet
from project import ENGINE, ProjectTest

NUMBERS = """
[outputs.numbers]
kind = "table"
path = "numbers.parquet"
columns = { number = "int64" }
doc = "Numbers"

[outputs.text]
kind = "file"
path = "text.txt"
doc = "A text"

[params.count]
type = "int"
default = 3
doc = "How many"

[params.tags]
type = "list"
elements = "string"
default = []
doc = "Tags"
"""

CODE = """
import callsheet

with callsheet.stage() as job:
    job.outputs.numbers.write({"number": range(job.params.count)})
    job.outputs.text.write(",".join(job.params.tags) or "no tags")
    job.metric("count", job.params.count)
"""


class Results(ProjectTest):
    def setUp(self):
        super().setUp()
        self.stage("numbers", NUMBERS, CODE)
        self.pipeline("[stages.numbers]\n")

    def numbers(self, **options):
        return callsheet.load("numbers.numbers", **options).to_pandas()["number"].tolist()

    def test_texts_and_arrays_reach_the_stage_as_they_are(self):
        import numpy

        for text in ("😀", "a\x7fb", 'q"\\'):
            callsheet.run(set={"numbers.tags": [text]})
            loaded = callsheet.load("numbers.text", set={"numbers.tags": [text]})
            self.assertEqual(loaded.read_text(), text)
        self.assertEqual(callsheet.run(set={"numbers.count": numpy.array(4)}).ran, 1)
        self.assertEqual(self.numbers(set={"numbers.count": 4}), [0, 1, 2, 3])

    def test_a_large_row_wise_table_is_loaded_after_a_row_was_added(self):
        row_wise = """
            [inputs.items]
            kind = "table"
            doc = "Items"

            [outputs.kept]
            kind = "table"
            path = "kept.parquet"
            columns = { id = "int64", text = "string" }
            doc = "The same items"

            [rows]
            key = "id"
            input = "items"
            output = "kept"
            """
        code = """
            import callsheet

            with callsheet.stage() as job:
                job.outputs.kept.write(job.inputs.items.to_arrow())
            """
        self.stage("keep", row_wise, code)
        self.pipeline('[sources.items]\npath = "data/raw/items.csv"\n[stages.keep]\ninputs.items = "items"\n')
        count = 20_000
        lines = [f"{number},{os.urandom(500).hex()}" for number in range(count, 0, -1)]
        self.write("data/raw/items.csv", "\n".join(["id,text", *lines, ""]))
        callsheet.run()
        self.write("data/raw/items.csv", "\n".join(["id,text", *lines, f"{count + 1},new", ""]))
        callsheet.run()
        table = callsheet.load("keep.kept")
        self.assertTrue(table.path.is_dir(), "the table is a folder")
        keys = list(range(1, count + 2))
        self.assertEqual(table.to_arrow()["id"].to_pylist(), keys)
        self.assertEqual([row["id"] for row in table.rows(["id"])], keys)

    def test_results_of_values_and_of_runs_are_loaded(self):
        self.assertEqual(callsheet.run().ran, 1)
        self.assertEqual(callsheet.run(set={"numbers.count": 2}).ran, 1)
        self.assertEqual(callsheet.run().cached, 1)
        self.assertEqual(self.numbers(), [0, 1, 2])
        self.assertEqual(self.numbers(set={"numbers.count": 2}), [0, 1])
        self.assertEqual(self.numbers(run="latest"), [0, 1])
        self.assertEqual(self.numbers(run="latest~1"), [0, 1, 2])
        self.assertEqual(callsheet.load("numbers.text").read_text(), "no tags")

    def test_every_type_of_parameter_can_be_set(self):
        for tags in (["a", "b"], ["a,b", "c"], [" x "], ['"q"'], ["1"], ["true"]):
            with self.subTest(tags):
                callsheet.run(set={"numbers.tags": tags, "numbers.count": 1})
                self.assertEqual(callsheet.load("numbers.text", run="latest").read_text(), ",".join(tags))
        with self.assertRaisesRegex(callsheet.CallsheetError, "`None` cannot be the value"):
            callsheet.run(set={"numbers.count": None})

    def test_several_threads_find_the_engine(self):
        callsheet.run()
        del os.environ["CALLSHEET"]
        os.environ["PATH"] = f"{ENGINE.parent}{os.pathsep}{os.environ['PATH']}"
        code = (
            "import callsheet, concurrent.futures as c\n"
            "with c.ThreadPoolExecutor(4) as pool:\n"
            "    print(len(list(pool.map(lambda _: callsheet.plan(), range(4)))))\n"
        )
        done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
        self.assertEqual(done.stdout, "4\n", done.stderr)

    def test_odd_names_are_errors_of_the_engine(self):
        for name in ("a\x01b", "\x1b[31m", "--help", "-h"):
            with self.subTest(name), self.assertRaises(callsheet.CallsheetError):
                callsheet.load(name)

    def test_the_plan_names_reasons_and_rows(self):
        self.assertEqual([stage.state for stage in callsheet.plan()], ["run"])
        callsheet.run()
        plan = callsheet.plan(set={"numbers.count": 2})
        self.assertEqual((plan.to_run, plan[0].reasons), (["numbers"], ["count: 3 → 2"]))
        self.assertEqual(plan.to_pandas()["stage"].tolist(), ["numbers"])
        self.assertIn("<td>count: 3 → 2</td>", plan._repr_html_())

    def test_runs_and_metrics_are_data_frames(self):
        self.assertEqual(len(callsheet.runs()), 0)
        callsheet.run()
        callsheet.run(set={"numbers.count": 2})
        runs = callsheet.runs()
        self.assertEqual(runs["end"].tolist(), ["done", "done"])
        self.assertEqual(runs["set"].tolist(), [["numbers.count=2"], []])
        metrics = callsheet.metrics("latest~1", "latest")
        self.assertEqual(metrics["value"].tolist(), [3.0, 2.0])
        self.assertEqual(list(metrics.columns), ["run", "stage", "metric", "step", "value"])

    def test_every_function_works_below_the_project_and_from_elsewhere(self):
        callsheet.run()
        os.chdir("stages/numbers")
        self.assertEqual(self.numbers(), [0, 1, 2])
        os.chdir("/")
        self.assertEqual(self.numbers(project=self.root), [0, 1, 2])
        self.assertEqual(callsheet.run(project=self.root).cached, 1)
        with self.assertRaisesRegex(callsheet.CallsheetError, "no callsheet.toml"):
            callsheet.plan()

    def test_a_failure_raises_its_message(self):
        self.write("stages/numbers/stage.py", "import callsheet\nwith callsheet.stage() as job:\n    1 / 0\n")
        with self.assertRaises(callsheet.CallsheetError) as caught:
            callsheet.run()
        self.assertIn("stage `numbers` failed: ZeroDivisionError: division by zero", caught.exception.message)
        self.assertEqual(caught.exception.code, "callsheet::worker_failed")
        self.assertEqual(callsheet.runs()[["end", "not_done"]].values.tolist(), [["failed", 1]])

    def test_unknown_names_raise_the_engines_error(self):
        callsheet.run()
        cases = {
            lambda: callsheet.load("numbers.nunbers"): "no artifact `numbers.nunbers`",
            lambda: callsheet.load("numbers"): "stage `numbers` has 2 outputs",
            lambda: callsheet.load("numbers", run="latest"): "stage `numbers` has 2 outputs",
            lambda: callsheet.load("numbers.x", run="latest"): "the run `latest` has no artifact `numbers.x`",
            lambda: callsheet.load("numbers.numbers", run="latest", profile="p"): "`run` excludes",
            lambda: callsheet.plan("number"): "no stage `number`",
            lambda: callsheet.run(set={"numbers.cuont": 1}): "`cuont`",
            lambda: callsheet.metrics(metric="los"): "no metric of run `latest`",
            lambda: callsheet.load("numbers.numbers").to_arrow(["nummer"]): "has no column `nummer`",
            lambda: list(callsheet.load("numbers.numbers").images("number")): "contains no pictures",
            lambda: list(callsheet.load("numbers.numbers").images()): "has no column of type `image`",
        }
        for call, expected in cases.items():
            with self.subTest(expected), self.assertRaises(callsheet.CallsheetError) as caught:
                call()
            self.assertIn(expected, caught.exception.message)

    def test_an_invalid_declaration_names_its_file(self):
        self.pipeline("[stages.missing]\n")
        with self.assertRaises(callsheet.CallsheetError) as caught:
            callsheet.plan()
        self.assertIn("pipelines/shop.toml", caught.exception.message)

    def test_an_interrupted_run_keeps_complete_results(self):
        self.stage("slow", NUMBERS, "import time\ntime.sleep(60)\n")
        self.pipeline("[stages.numbers]\n[stages.slow]\n")
        code = (
            "import callsheet\ntry:\n    callsheet.run(jobs=1)\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.addCleanup(process.stderr.close)
        for line in process.stderr:
            if line.startswith("slow: started"):
                break
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=50)
        self.assertEqual(printed, "interrupted\n")
        self.assertEqual(self.numbers(), [0, 1, 2])

    def test_a_large_table_of_several_files_is_sorted_by_its_key(self):
        declaration = """
            [inputs.numbers]
            kind = "table"
            doc = "Numbers"

            [outputs.blobs]
            kind = "table"
            path = "blobs.parquet"
            columns = { number = "int64", blob = "binary" }
            doc = "Large values"

            [rows]
            key = "number"
            input = "numbers"
            output = "blobs"
            """
        code = """
            import os
            import callsheet

            with callsheet.stage() as job:
                job.outputs.blobs.write({"number": row["number"], "blob": os.urandom(3 << 20)} for row in job.inputs.numbers.rows())
            """
        self.stage("blobs", declaration, code)
        self.pipeline('[stages.numbers]\n[stages.blobs]\ninputs.numbers = "numbers.numbers"\n')
        callsheet.run(set={"numbers.count": 4})
        callsheet.run(set={"numbers.count": 6})
        table = callsheet.load("blobs", set={"numbers.count": 6})
        self.assertTrue(table.path.is_dir(), "the rows of two runs are in several files")
        self.assertEqual(table.to_arrow(["number"])["number"].to_pylist(), list(range(6)))
        self.assertEqual(len(table.to_arrow(["blob"]).column(0)), len(table), 6)
        keys = [key for batch in table.batches(["number"], rows=1) for key in batch["number"].to_pylist()]
        self.assertEqual(keys, list(range(6)), "batches are in the order of the key, too")
