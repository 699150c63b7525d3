#!/usr/bin/env python3
"""tools/test_summary.py: what a Meson test log counts as."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
from test_summary import count  # noqa: E402 (after the path is known)

MIXED = """[==========] Running 3 test(s).
[ RUN      ] adds
[       OK ] adds
[ RUN      ] reads
no LCAL_TEST_DATA
[  SKIPPED ] reads
[==========] 3 test(s) run.
"""
BROKEN = MIXED + "[ RUN      ] breaks\n[  FAILED  ] breaks\n"


def record(result, stdout=""):
    return {"name": "base/x", "result": result, "stdout": stdout}


class Count(unittest.TestCase):
    def test_cases_count(self):
        self.assertEqual(count([record("OK", MIXED)]),
                         (1, [], ["base/x: reads (no LCAL_TEST_DATA)"]))

    def test_plain_programs_count_once(self):
        self.assertEqual(count([record("OK"), record("OK", "hello")]), (2, [], []))
        self.assertEqual(count([record("SKIP")]), (0, [], ["base/x"]))

    def test_failures(self):
        self.assertEqual(count([record("FAIL", BROKEN)])[:2], (1, ["base/x: breaks"]))
        self.assertEqual(count([record("FAIL")]), (0, ["base/x: FAIL"], []))
        self.assertEqual(count([record("TIMEOUT", MIXED)])[:2], (1, ["base/x: TIMEOUT"]))
        self.assertEqual(count([record("UNEXPECTEDPASS")]), (0, ["base/x: UNEXPECTEDPASS"], []))

    def test_a_failed_case_is_not_hidden_by_exit_status_0(self):
        self.assertEqual(count([record("OK", BROKEN)])[1], ["base/x: breaks"])


if __name__ == "__main__":
    unittest.main()
