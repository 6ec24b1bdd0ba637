"""The count of test cases, read from logs as ctest writes them."""
import importlib.util
import pathlib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("run_tests", ROOT / ".ci/run_tests.py")
run_tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_tests)


def section(number, name, output, verdict):
    return f"""{number}/9 Testing: {name}
{number}/9 Test: {name}
Command: "{name}_tests"
Output:
----------------------------------------------------------
{output}
<end of output>
Test time =   0.01 sec
----------------------------------------------------------
Test {verdict}.
"{name}" end time: Nov 25 16:00 UTC
----------------------------------------------------------

"""


PASSING = section(1, "core", "=====\nAll tests passed (9 assertions in 4 test cases)", "Passed")
FAILING = section(2, "nn", "test cases:  7 |  5 passed | 2 failed\nassertions: 30 | 28 passed | 2 failed", "Failed")
NOTHING_PASSED = section(3, "nn", "test cases: 1 | 1 failed\nassertions: - none -", "Failed")
UNITTEST = section(4, "ci", "Ran 10 tests in 0.105s\n\nFAILED (failures=2, errors=1, skipped=3)", "Failed")
CRASHED = section(5, "run", "", "Failed")
EMPTY = section(6, "run_slow", "=====\nNo tests ran", "Passed")
SKIPPING = section(7, "run", """skipped: no CUDA device [a GPU (any) gives: the same]
skipped: no CUDA device [a GPU (any) gives: the same]
skipped: a.json is not in the shared folder (/shared) [layers]
All tests passed (2 assertions in 5 test cases)""", "Passed")
SKIPPING_PYTHON = section(8, "launchers", """test_one (launchers_test.Slurm.test_one) ... skipped "Slurm's daemons need root"
test_two (launchers_test.Mpirun)
It says what it does. ... skipped 'no mpirun'
test_three (launchers_test.Slurm.test_three) ... ok

Ran 3 tests in 0.105s

OK (skipped=2)""", "Passed")
SKIPPING_QUIETLY = section(9, "ci", "s..\nRan 3 tests in 0.105s\n\nOK (skipped=1)", "Passed")


class CountTest(unittest.TestCase):
    def test_cases_are_summed_over_programs(self):
        self.assertEqual(run_tests.count_log(PASSING + FAILING), (9, 2))

    def test_a_program_in_which_nothing_passed_counts_its_failures(self):
        self.assertEqual(run_tests.count_log(NOTHING_PASSED), (0, 1))

    def test_unittest_counts_failures_and_errors(self):
        self.assertEqual(run_tests.count_log(UNITTEST), (4, 3))

    def test_what_was_skipped_did_not_pass(self):
        self.assertEqual(run_tests.count_log(SKIPPING), (3, 0))
        self.assertEqual(run_tests.count_log(SKIPPING_PYTHON), (1, 0))
        self.assertEqual(run_tests.count_log(SKIPPING_QUIETLY), (2, 0))
        self.assertEqual(run_tests.count_log(SKIPPING + PASSING), (7, 0))

    def test_a_line_for_each_reason_names_what_was_skipped(self):
        self.assertEqual(list(run_tests.skipped_lines(PASSING + SKIPPING + SKIPPING_PYTHON)), [
            "skipped: Slurm's daemons need root [launchers_test.Slurm.test_one]",
            "skipped: a.json is not in the shared folder (/shared) [layers]",
            "skipped: no CUDA device [a GPU (any) gives: the same]",
            "skipped: no mpirun [launchers_test.Mpirun.test_two]"])
        self.assertEqual(list(run_tests.skipped_lines(SKIPPING_QUIETLY)), ["skipped: no reason was given [case 0]"])
        many = "".join(f"skipped: why [{name}]\n" for name in "abcde")
        self.assertEqual(list(run_tests.skipped_lines(section(1, "nn", many, "Passed"))), ["skipped: why [a; b; c and 2 more]"])

    def test_a_program_that_died_without_a_word_is_one_failure(self):
        self.assertEqual(run_tests.count_log(PASSING + CRASHED), (4, 1))

    def test_a_program_without_a_matching_case_counts_nothing(self):
        self.assertEqual(run_tests.count_log(EMPTY), (0, 0))

    def test_a_program_that_ctest_calls_failed_never_counts_as_passed(self):
        log = section(1, "core", "All tests passed (1 assertion in 1 test case)", "Failed")
        self.assertEqual(run_tests.count_log(log)[1], 1)


if __name__ == "__main__":
    unittest.main()
