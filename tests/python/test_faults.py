"""Mistakes of stages in Python: each has an error that names the problem, the line and the remedy."""

import os
import shutil
import subprocess
import sys
import venv

import callsheet
from project import PRICED, ROOT, ProjectTest, environment


class Faults(ProjectTest):
    def failure(self, code, declaration=None, **options):
        self.one_stage(code, declaration)
        return self.callsheet("run", code=1, **options)

    def body(self, statement):
        """A stage with one statement in its `with` block, in line 3."""
        return f"import callsheet\nwith callsheet.stage() as job:\n    {statement}\n"

    def test_an_exception_arrives_with_the_lines_of_the_project_alone(self):
        self.write("stages/price/helper.py", "def price(order):\n    return order['price']\n")
        printed = self.failure(
            """
            import callsheet
            import helper

            with callsheet.stage() as job:
                helper.price({"cost": 1})
            """
        )
        self.assertIn("KeyError: 'price'", printed)
        self.assertIn('stage.py:6: helper.price({"cost": 1})', printed)
        self.assertIn("helper.py:2: return order['price']", printed)
        self.assertNotIn("_stage", printed, "no line of the package is shown")
        self.assertIn("see the full log: ", printed)

    def test_an_output_that_is_never_written_is_named(self):
        printed = self.failure(self.body("pass"))
        self.assertIn("stage `price` ended without writing its output `priced`", printed)
        self.assertIn("call `job.outputs.priced.write(..)` before the `with` block ends", printed)

    def test_an_output_is_written_once(self):
        printed = self.failure(self.body("job.outputs.priced.write([]); job.outputs.priced.write([])"))
        self.assertIn("the output `priced` was written twice", printed)
        printed = self.failure(self.body("job.outputs.priced.path.write_text('x'); job.outputs.priced.write([])"))
        self.assertIn("the output `priced` was written twice", printed)
        self.assertIn("stage.py:3", printed)

    def test_another_schema_is_refused_where_it_is_written(self):
        cases = {
            '[{"order_id": "a"}]': "the table `priced` lacks `total`",
            '[{"order_id": "a", "total": 1.0, "tax": 2}]': "has `tax`, which stage.toml does not declare",
            '[{"order_id": "a", "total": "much"}]': "the column `total` of `priced` is declared as `float64`, but contains string",
            '[{"order_id": "a", "total": [1, 2]}]': "the column `total` of `priced` is declared as `float64`, but contains list",
            '[{"order_id": "a", "total": 1}, {"order_id": "b", "total": "x"}]': "the column `total` cannot be written",
            '{"order_id": ["a", "b"], "total": [1.0]}': "columns of different lengths",
            '"a text"': "`priced` cannot be written from a `str`",
            "[1, 2]": "`priced` cannot be written from a `list`",
        }
        for data, expected in cases.items():
            with self.subTest(data):
                printed = self.failure(self.body(f"job.outputs.priced.write({data})"))
                self.assertIn(expected, printed)
                self.assertIn("stage.py:3", printed)

    def test_values_are_converted_only_without_loss(self):
        cases = [
            ("int32", "1.5", "Float value 1.500000 was truncated"),
            ("int32", "5000000000", "Integer value 5000000000 not in range"),
            ("list<int64>", "[1, 2.5]", "Float value 2.500000 was truncated"),
            ("list<float64>", "[1.0, None]", "declared as `list<float64>`"),
            ("float64[2]", "[1.0, 2.0, 3.0]", "declared as `float64[2]`"),
            ("bool", "2", "contains int64: the types are of different kinds"),
            ("float32", "1e300", "a number is too large for float32"),
            ("int64", "__import__('datetime').datetime(2026, 1, 1)", "the types are of different kinds"),
            ("string", "7", "contains int64: the types are of different kinds"),
        ]
        for kind, value, expected in cases:
            with self.subTest(f"{value} as {kind}"):
                declaration = PRICED.replace("float64", kind)
                data = f'[{{"order_id": "a", "total": {value}}}]'
                self.assertIn(expected, self.failure(self.body(f"job.outputs.priced.write({data})"), declaration))

    def test_columns_of_one_name_and_pictures_without_bytes_are_refused(self):
        data = "__import__('pandas').DataFrame([[1, 2]], columns=[1, '1'])"
        self.assertIn("several columns have the name `1`", self.failure(self.body(f"job.outputs.priced.write({data})")))
        declaration = PRICED.replace("float64", "image")
        printed = self.failure(
            self.body("job.outputs.priced.write([{'order_id': 'a', 'total': {'byts': b'x'}}])"), declaration
        )
        self.assertIn("a picture has the keys `bytes` and `path`, not 'byts'", printed)

    def test_a_table_that_fails_midway_is_not_published_and_can_be_written_again(self):
        printed = self.failure(
            """
            import callsheet

            def rows():
                yield from ({"order_id": str(n), "total": 1.0} for n in range(2000))
                raise ValueError("midway")

            with callsheet.stage() as job:
                try:
                    job.outputs.priced.write(rows())
                except ValueError:
                    pass
            """
        )
        self.assertIn("ended without writing its output `priced`", printed)
        self.one_stage(
            """
            import callsheet

            with callsheet.stage() as job:
                try:
                    job.outputs.priced.write([{"order_id": "a", "total": "much"}])
                except callsheet.CallsheetError:
                    job.outputs.priced.write([{"order_id": "a", "total": 1.0}])
            """
        )
        self.callsheet("run")

    def test_notes_of_an_exception_follow_its_message(self):
        if sys.version_info < (3, 11):
            self.skipTest("notes are new in 3.11")
        printed = self.failure(self.body("e = ValueError('the problem'); e.add_note('in row 5'); raise e"))
        self.assertIn("price: FAILED: ValueError: the problem", printed)
        self.assertIn("in row 5", printed)

    def test_odd_messages_arrive(self):
        printed = self.failure(
            self.body("job.warn('y' * 3_000_000); job.warn('\\ud800'); job.info(ValueError(1)); 1 / 0")
        )
        self.assertIn("yyyyy ..", printed)
        self.assertIn("warning: ?", printed)
        self.assertNotIn("not a valid event", printed)

    def test_a_table_is_not_a_data_frame(self):
        table = callsheet.Table(self.root / "a.parquet")
        with self.assertRaisesRegex(callsheet.CallsheetError, "read it first"):
            table["price"]
        with self.assertRaisesRegex(callsheet.CallsheetError, "cannot be iterated"):
            list(table)

    def test_unknown_names_suggest_the_nearest(self):
        printed = self.failure(self.body("job.outputs.prised.write([])"))
        self.assertIn("stage.toml declares no output `prised`", printed)
        self.assertIn("did you mean `priced`?", printed)
        self.assertIn("stage.toml declares no parameter `rate`", self.failure(self.body("job.params.rate")))
        printed = self.failure(self.body("job.outputs.priced.write([{'order_id': 'a', 'total': job.inputs.orders}])"))
        self.assertIn("stage.toml declares no input `orders`", printed)

    def test_a_segmentation_fault_names_the_signal_and_the_line(self):
        printed = self.failure(self.body("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
        self.assertIn("SIGSEGV", printed)
        self.assertIn("line 3 in <module>", printed)

    def test_values_that_are_no_column_are_refused(self):
        cases = {
            '{"order_id": "ab", "total": [1.0, 2.0]}': "the column `order_id` is a single text, not a list of values",
            '{"order_id": ["a", 5], "total": [1.0, 2.0]}': "`5` in row 2 is of type int, but the rows before contain str",
            '{"order_id": ["a"], "total": [10**30]}': "in row 1 exceeds the range of int64",
        }
        for data, message in cases.items():
            with self.subTest(data):
                self.assertIn(message, self.failure(self.body(f"job.outputs.priced.write({data})")))

    def test_parameters_cannot_be_set_and_metrics_are_numbers(self):
        cases = {
            "job.params.rate = 3": "the parameter `rate` cannot be set",
            "job.output": "Did you mean: 'outputs'?",
            "callsheet.lod": "did you mean `load`?",
            "job.metric('', 1)": "a metric has no name",
            "job.metric('loss', None)": "the value of the metric `loss` is not a number: None",
        }
        for statement, message in cases.items():
            with self.subTest(statement):
                self.assertIn(message, self.failure(self.body(statement)))

    def test_a_million_lines_do_not_hide_the_error(self):
        printed = self.failure(self.body("[print('line', n) for n in range(1_000_000)]; raise ValueError('the cause')"))
        self.assertIn("ValueError: the cause", printed)
        self.assertLess(len(printed), 5000)

    def test_a_stage_without_a_request_says_how_to_start_it(self):
        self.one_stage(self.body("pass"))
        done = subprocess.run(
            [sys.executable, "stages/price/stage.py"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("this stage was started without a request", done.stdout)
        self.assertIn("`callsheet debug STAGE` prints a command", done.stdout)

    def test_a_request_of_a_newer_engine_is_refused(self):
        with self.assertRaisesRegex(callsheet.CallsheetError, "requests of version 2.*at most version 1"):
            callsheet.stage({"protocol": 2})

    def test_missing_packages_are_named_with_the_command_that_installs_them(self):
        bare = self.root / "bare"
        venv.create(bare, symlinks=True)
        python = os.path.realpath(bare) + "/bin/python3"
        for package, statement in {
            "pyarrow": "job.outputs.priced.write([])",
            "pillow": "from callsheet._data.images import open_image; open_image(b'')",
        }.items():
            with self.subTest(package):
                self.one_stage(self.body(statement))
                printed = self.callsheet("run", code=1, env=environment(PATH=f"{bare}/bin:/usr/bin:/bin"))
                self.assertIn(f"needs the package {package}, which this Python environment lacks", printed)
                self.assertIn(f"install it: {python} -m pip install {package}", printed)

    def test_an_environment_without_callsheet_is_named(self):
        bare = self.root / "bare"
        venv.create(bare, symlinks=True)
        self.one_stage(self.body("pass"))
        variables = environment(PATH=f"{bare}/bin:/usr/bin:/bin")
        del variables["PYTHONPATH"]
        printed = self.callsheet("run", code=1, env=variables)
        self.assertIn("No module named 'callsheet'", printed)
        self.assertIn(f"{bare}/bin/python3 -m pip install callsheet", printed)

    def test_a_project_that_requires_another_version_refuses_to_run(self):
        self.write("callsheet.toml", 'requires = ">=99"\nfrom_the_future = true\n')
        printed = self.callsheet("plan", code=2)
        self.assertIn("this project requires callsheet >=99, but this program is callsheet ", printed)
        with self.assertRaisesRegex(callsheet.CallsheetError, "requires callsheet >=99"):
            callsheet.plan()
        self.write("callsheet.toml", 'requires = "newest"\n')
        self.assertIn("`newest` is not a valid requirement of versions", self.callsheet("plan", code=2))


class Programs(ProjectTest):
    def test_a_kernel_in_an_environment_that_is_not_activated_finds_its_own_engine(self):
        environ = self.root / "environment"
        venv.create(environ, symlinks=True)
        shutil.copy(os.environ["CALLSHEET"], environ / "bin/callsheet")
        variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "python")}
        code = "from callsheet._results.engine import program; print(program())"
        python = environ / "bin/python3"
        found = subprocess.run(
            [python, "-c", code], env=variables, text=True, stdout=subprocess.PIPE, check=True
        ).stdout
        self.assertEqual(found.strip(), str(environ / "bin/callsheet"))

    def test_a_missing_engine_is_named(self):
        environ = self.root / "environment"
        venv.create(environ, symlinks=True)
        variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "python")}
        code = "import callsheet; callsheet.plan()"
        done = subprocess.run([environ / "bin/python3", "-c", code], env=variables, text=True, stderr=subprocess.PIPE)
        self.assertIn("the program `callsheet` was not found", done.stderr)
