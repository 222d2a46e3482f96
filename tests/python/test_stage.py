"""Stages in Python: inputs, parameters, outputs and reports, through the real engine."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import unittest

import callsheet
from project import ENGINE, ROOT, ProjectTest

ORDERS = """
[outputs.orders]
kind = "table"
path = "orders.parquet"
columns = { order_id = "string", price = "int32" }
doc = "Orders"

[params.count]
type = "int"
default = 3
doc = "Number of orders"
"""

PRICE_ROWS = """
[inputs.orders]
kind = "table"
doc = "Orders"

[outputs.priced]
kind = "table"
path = "priced.parquet"
columns = { order_id = "string", total = "float64" }
doc = "Orders with their totals"

[rows]
key = "order_id"
input = "orders"
output = "priced"

[params.tax]
type = "float"
default = 0.5
doc = "Tax"
"""


class Stages(ProjectTest):
    def shop(self, price):
        self.stage(
            "orders",
            ORDERS,
            """
            import callsheet

            with callsheet.stage() as job:
                job.outputs.orders.write({"order_id": str(n), "price": 10 * n} for n in range(job.params.count))
            """,
        )
        self.stage("price", PRICE_ROWS, price)
        self.pipeline('[stages.orders]\n[stages.price]\ninputs.orders = "orders.orders"\n')

    def test_a_row_wise_stage_gets_only_missing_rows_in_every_library(self):
        for frame in ("to_pandas", "to_polars"):
            with self.subTest(frame):
                self.shop(
                    f"""
                    import callsheet

                    with callsheet.stage() as job:
                        orders = job.inputs.orders.{frame}()
                        total = orders["price"] * (1 + job.params.tax)
                        job.outputs.priced.write({{"order_id": orders["order_id"], "total": total}})
                    """
                )
                printed = self.callsheet("run", "--force", "price")
                self.assertIn("price: computes 3 of 3 rows", printed)
                printed = self.callsheet("run", "--set", "orders.count=5")
                self.assertIn("price: computes 2 of 5 rows", printed)
        table = callsheet.load("price.priced", set={"orders.count": 5})
        self.assertEqual(table.to_arrow()["total"].to_pylist(), [0.0, 15.0, 30.0, 45.0, 60.0])

    def stage_that_ends_early(self, *body):
        """A row-wise stage that writes rows one by one; `body` comes before each row."""
        lines = [
            "import os, signal, time",
            "import callsheet",
            "def rows(job):",
            "    for number, order in enumerate(job.inputs.orders.rows()):",
            *(f"        {line}" for line in body),
            "        yield {'order_id': order['order_id'], 'total': 1.0}",
            "with callsheet.stage() as job:",
            "    job.outputs.priced.write(rows(job))",
        ]
        self.shop("\n".join(lines) + "\n")

    def test_rows_before_a_failure_are_not_computed_again(self):
        self.stage_that_ends_early("if number == 7: raise ValueError('no')")
        self.callsheet("run", "--set", "orders.count=10", code=1)
        printed = self.callsheet("run", "--set", "orders.count=10")
        self.assertIn("price: computes 3 of 10 rows", printed)

    def test_rows_of_a_slow_stage_that_is_killed_are_not_computed_again(self):
        self.stage_that_ends_early(
            "if number == 5: time.sleep(5.2)", "if number == 6: os.kill(os.getpid(), signal.SIGKILL)"
        )
        self.callsheet("run", "--set", "orders.count=10", code=1)
        printed = self.callsheet("run", "--set", "orders.count=10")
        self.assertIn("price: computes 4 of 10 rows", printed)

    def test_keys_of_excluded_rows_have_the_type_of_the_key_column(self):
        self.stage(
            "keep",
            """
            [inputs.orders]
            kind = "table"
            doc = "Orders"

            [inputs.verdicts]
            kind = "files"
            optional = true
            verdicts = { input = "orders", key = "order_id" }
            doc = "Verdicts"

            [outputs.kept]
            kind = "file"
            path = "kept.txt"
            doc = "Keys of the excluded orders"
            """,
            """
            import callsheet

            with callsheet.stage() as job:
                job.outputs.kept.path.write_text(repr(job.excluded("verdicts")))
            """,
        )
        self.write("data/raw/orders.csv", "order_id,price\n7,10\n8,20\n")
        pipeline = """
            [sources.orders]
            path = "data/raw/orders.csv"
            columns.order_id = "TYPE"

            [sources.verdicts]
            path = "pipelines/curation/shop.csv"

            [stages.keep]
            inputs = { orders = "orders", verdicts = "verdicts" }
            """
        for kind, keys in {"int64": "{7}", "string": "{'7'}"}.items():
            with self.subTest(kind):
                self.pipeline(pipeline.replace("TYPE", kind))
                self.write("pipelines/curation/shop.csv", "key,verdict,reason,author,time\n")
                self.callsheet("run")
                self.callsheet("curate", "exclude", "7", "--reason", "a test", "--author", "a")
                self.callsheet("run")
                self.assertEqual((self.root / "data/out/shop/keep/kept.txt").read_text(), keys)
        self.pipeline(pipeline.replace("TYPE", "int64"))
        verdict = "key,verdict,reason,author,time\nx7,exclude,a test,a,2026-01-02\n"
        self.write("pipelines/curation/shop.csv", verdict)
        printed = self.callsheet("run", code=1)
        self.assertIn("shop.csv: `x7` is not an integer, but the rows have integers as keys", printed)

    def test_each_way_to_write_a_table_gives_equal_content(self):
        ways = {
            "pandas": 'pandas.DataFrame({"order_id": ["a", "b"], "total": [1, 2]})',
            "a pandas index": 'pandas.DataFrame({"order_id": ["a", "b"], "total": [1, 2]}).groupby("order_id").sum()',
            "rows of pandas": 'pandas.DataFrame({"order_id": ["x", "a", "b"], "total": [0, 1, 2]}).iloc[1:]',
            "polars": 'polars.DataFrame({"order_id": ["a", "b"], "total": [1, 2]})',
            "lazy polars": 'polars.LazyFrame({"order_id": ["a", "b"], "total": [1, 2]})',
            "arrow": 'pyarrow.table({"order_id": ["a", "b"], "total": [1.0, 2.0]})',
            "columns": '{"order_id": ["a", "b"], "total": numpy.array([1, 2])}',
            "rows": '[{"order_id": "a", "total": 1}, {"total": 2.0, "order_id": "b"}]',
            "a generator of rows": '({"order_id": n, "total": t} for n, t in [("a", 1), ("b", 2)])',
            "a generator of tables": 'iter([pyarrow.table({"order_id": [n], "total": [t]}) for n, t in [("a", 1), ("b", 2)]])',
            "a reader": 'pyarrow.table({"order_id": ["a", "b"], "total": [1, 2]}).to_reader(1)',
        }
        contents = {}
        for name, expression in ways.items():
            self.one_stage(
                f"import callsheet, numpy, pandas, polars, pyarrow\n"
                f"with callsheet.stage() as job:\n    job.outputs.priced.write({expression})\n"
            )
            self.callsheet("run")
            shown = json.loads(self.callsheet("show", "price.priced", "--json"))
            contents[name] = (shown["object"]["content"], shown["object"]["rows"])
        self.assertEqual(len(set(contents.values())), 1, contents)

    def test_an_empty_table_has_the_declared_columns(self):
        self.one_stage("import callsheet\nwith callsheet.stage() as job:\n    job.outputs.priced.write(iter([]))\n")
        self.callsheet("run")
        table = callsheet.load("price")
        self.assertEqual((len(table), table.columns), (0, ["order_id", "total"]))

    def test_pictures_vectors_and_lists_survive(self):
        self.one_stage(
            """
            import callsheet
            import numpy
            from PIL import Image

            pictures = [Image.new("RGB", (2, 3), (n, 0, 0)) for n in range(2)]
            with callsheet.stage() as job:
                job.outputs.shots.write({
                    "shot_id": ["a", "b"],
                    "image": [pictures[0], None],
                    "code": numpy.arange(6, dtype="float32").reshape(2, 3),
                    "tags": [["x"], []],
                })
                job.image("samples", pictures[1], step=7)
            """,
            """
            [outputs.shots]
            kind = "table"
            path = "shots.parquet"
            columns = { shot_id = "string", image = "image", code = "float32[3]", tags = "list<string>" }
            doc = "Shots"
            """,
        )
        self.callsheet("run")
        table = callsheet.load("price.shots")
        first, second = table.images()
        self.assertEqual((first.size, first.getpixel((0, 0)), second), ((2, 3), (0, 0, 0), None))
        self.assertEqual(table.to_arrow(["tags", "code"]).to_pylist()[0], {"tags": ["x"], "code": [0.0, 1.0, 2.0]})
        self.assertTrue(list(self.root.glob("data/store/runs/*/**/*.png")), "the picture is kept with the run")

    def test_files_folders_lists_and_optional_inputs_have_their_kinds(self):
        for name in ("a", "b"):
            self.write(f"data/raw/{name}.txt", f"text {name}")
        declaration = """
            [inputs.texts]
            kind = "files"
            doc = "Texts"

            [inputs.first]
            kind = "file"
            doc = "A text"

            [inputs.missing]
            kind = "table"
            optional = true
            doc = "Not wired"

            [outputs.copy]
            kind = "file"
            path = "copy.txt"
            doc = "A text"

            [outputs.folder]
            kind = "directory"
            path = "folder"
            doc = "Two texts"
            """
        self.stage(
            "price",
            declaration,
            """
            import callsheet

            with callsheet.stage() as job:
                assert [text.name for text in job.inputs.texts] == ["a.txt", "b.txt"]
                assert job.inputs.missing is None
                job.outputs.copy.write(job.inputs.first.read_text() + "!")
                for text in job.track(job.inputs.texts, unit="texts"):
                    (job.outputs.folder / text.name).write_bytes(text.read_bytes())
            """,
        )
        self.pipeline(
            """
            [sources.texts]
            path = "data/raw/*.txt"
            [sources.first]
            path = "data/raw/a.txt"
            [stages.price]
            inputs.texts = "texts"
            inputs.first = "first"
            """
        )
        self.callsheet("run")
        self.assertEqual(callsheet.load("price.copy").read_text(), "text a!")
        self.assertEqual([file.name for file in callsheet.load("price.folder")], ["a.txt", "b.txt"])

    def test_declared_names_may_be_those_of_methods(self):
        names = ["items", "keys", "values", "get", "_values", "_kind"]
        request = {"params": {name: n for n, name in enumerate(names)}, "outputs": {}}
        params = callsheet.stage(request).params
        self.assertEqual([getattr(params, name) for name in names], list(range(6)))
        self.assertEqual([params[name] for name in params], list(range(6)))
        params = callsheet.stage({"params": {"rate": 1}, "outputs": {}}).params
        self.assertEqual((params.get("zz", 7), hasattr(params, "zz"), dict(params)), (7, False, {"rate": 1}))

    def test_metrics_and_warnings_arrive(self):
        self.one_stage(
            """
            import callsheet

            with callsheet.stage() as job:
                job.metric("loss/train", float("nan"), step=1)
                job.metric("loss/train", 0.5, step=2)
                job.warn("two rows were empty")
                job.outputs.priced.write([])
            """
        )
        self.assertIn("two rows were empty", self.callsheet("run"))
        found = callsheet.metrics()
        self.assertEqual(found["step"].tolist(), [1, 2])
        self.assertEqual(found["value"].tolist()[1], 0.5)

    def test_json_lines_are_read_and_written(self):
        self.shop(
            """
            import callsheet

            with callsheet.stage() as job:
                job.outputs.priced.write({"order_id": row["order_id"], "total": row["price"]} for row in job.inputs.orders.rows())
            """
        )
        path = self.root / "stages/price/stage.toml"
        path.write_text(path.read_text().replace('kind = "table"\n', 'kind = "table"\nformat = "json"\n'))
        self.callsheet("run")
        self.assertEqual(callsheet.load("price").to_arrow()["total"].to_pylist(), [0.0, 10.0, 20.0])


TRAIN = """
import time
import callsheet

with callsheet.stage() as job:
    latest = job.checkpoints.latest()
    step = int((latest / "step").read_text()) if latest else 0
    job.info(f"begins at {step}")
    while step < job.params.steps:
        step += 1
        time.sleep(0.05)
        job.progress(step, job.params.steps, "steps")
        if job.stopping or step % 5 == 0:
            with job.checkpoints.save(step) as folder:
                (folder / "step").write_text(str(step))
            if job.stopping:
                break
    else:
        job.outputs.model.write(f"{step} steps")
"""

TRAIN_DECLARATION = """
[outputs.model]
kind = "file"
path = "model.txt"
doc = "A model"

[params.steps]
type = "int"
default = 100
role = "budget"
doc = "Steps"
"""


class Stopping(ProjectTest):
    def start(self, code):
        self.one_stage(code, TRAIN_DECLARATION)
        process = subprocess.Popen([ENGINE, "run", "--json"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        for line in process.stdout:
            if '"progress"' in line:
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
        self.assertEqual(process.wait(), 130, printed)
        return printed

    def test_a_failure_while_the_run_is_stopped_is_shown(self):
        printed = self.start(
            """
            import time
            import callsheet

            with callsheet.stage() as job:
                job.progress(1, 2)
                while not job.stopping:
                    time.sleep(0.05)
                raise ValueError("no space for the checkpoint")
            """
        )
        self.assertIn("the worker failed while it was stopped: ValueError: no space for the checkpoint", printed)

    def test_a_stopped_training_saves_a_checkpoint_and_resumes_from_it(self):
        self.start(TRAIN)
        began = time.monotonic()
        printed = self.callsheet("run", "--json", "--set", "price.steps=30")
        self.assertNotIn("begins at 0", printed)
        self.assertIn("begins at", printed)
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual(callsheet.load("price", set={"price.steps": 30}).read_text(), "30 steps")

    def test_a_stage_that_does_not_ask_ends_at_once(self):
        began = time.monotonic()
        self.start(
            """
            import time
            import callsheet

            with callsheet.stage() as job:
                job.progress(0, 1)
                time.sleep(60)
            """
        )
        self.assertLess(time.monotonic() - began, 30)

    def test_only_complete_checkpoints_are_found_and_old_ones_are_removed(self):
        (self.root / "scratch").mkdir()
        job = callsheet.stage({"scratch": str(self.root / "scratch"), "outputs": {}})
        for step in (10, 20, 30):
            with job.checkpoints.save(step) as folder:
                (folder / "weights").write_text(str(step))
        with self.assertRaises(ZeroDivisionError), job.checkpoints.save(40) as folder:
            (folder / "weights").write_text("half")
            1 / 0
        self.assertEqual(job.checkpoints.steps(), [20, 30])
        self.assertEqual(sorted(os.listdir(job.checkpoints.folder)), ["step-000000020", "step-000000030"])
        self.assertEqual((job.checkpoints.latest() / "weights").read_text(), "30")


class Checkpoints(ProjectTest):
    def setUp(self):
        super().setUp()
        (self.root / "scratch").mkdir()
        self.checkpoints = callsheet.stage({"scratch": str(self.root / "scratch"), "outputs": {}}).checkpoints

    def save(self, step, text="state", keep=2):
        with self.checkpoints.save(step, keep) as folder:
            (folder / "state").write_text(text)

    def test_a_killed_process_leaves_no_half_of_a_checkpoint(self):
        self.save(1, "old")
        code = f"""
            import os, shutil, sys
            sys.path.insert(0, {str(ROOT / "python")!r})
            import callsheet
            shutil.rmtree = lambda *_, **__: os._exit(9)
            checkpoints = callsheet.stage({{"scratch": {str(self.root / "scratch")!r}, "outputs": {{}}}}).checkpoints
            with checkpoints.save(1) as folder:
                (folder / "state").write_text("new")
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)])
        self.assertEqual(done.returncode, 9)
        latest = self.checkpoints.latest()
        self.assertTrue(latest is None or (latest / "state").read_text() in ("old", "new"))
        self.save(2)
        self.assertEqual([name for name in os.listdir(self.checkpoints.folder) if name.startswith(".")], [])

    def test_the_checkpoint_that_was_saved_is_kept(self):
        for step in (10, 20, 5):
            self.save(step)
        self.assertEqual(self.checkpoints.steps(), [5, 20])
        self.save(7, keep=1)
        self.assertEqual(self.checkpoints.steps(), [7])
        with self.assertRaises(TypeError):
            self.save(1e1)

    def test_two_checkpoints_at_once_do_not_disturb_each_other(self):
        with self.checkpoints.save(1) as one, self.checkpoints.save(2) as other:
            (one / "state").write_text("1")
            (other / "state").write_text("2")
        self.assertEqual(self.checkpoints.steps(), [1, 2])


class Debug(ProjectTest):
    def test_the_printed_command_runs_the_stage_with_its_real_inputs(self):
        Stages.shop(
            self,
            """
            import callsheet

            with callsheet.stage() as job:
                orders = job.inputs.orders.to_arrow()
                print("rows:", len(orders))
                job.outputs.priced.write({"order_id": orders["order_id"], "total": orders["price"]})
            """,
        )
        self.assertIn("compute it first: `callsheet run orders`", self.callsheet("debug", "price", code=2))
        self.callsheet("run", "orders")
        command = self.callsheet("debug", "price", "--rows", "2").splitlines()[1]
        printed = subprocess.run(command, shell=True, text=True, stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(printed, "rows: 2\n")
        request = json.loads(self.callsheet("debug", "price", "--json"))["request"]
        job = callsheet.stage(request)
        self.assertEqual(len(job.inputs.orders), 3)
        self.assertEqual(self.callsheet("run").count("computes 3 of 3 rows"), 1, "nothing was published")


class Speed(unittest.TestCase):
    def test_importing_callsheet_imports_no_other_library(self):
        code = "import sys, callsheet; callsheet.stage; print(' '.join(sys.modules))"
        loaded = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
            text=True,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout.split()
        heavy = {"pyarrow", "pandas", "polars", "PIL", "numpy", "subprocess", "asyncio", "inspect"}
        self.assertEqual(heavy & set(loaded), set())


if __name__ == "__main__":
    unittest.main()
