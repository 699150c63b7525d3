#!/usr/bin/env python3
"""Plants violations in small trees and sees whether tests/floors.py finds each of them."""
import os
import tempfile
import unittest

import floors

CLEAN = {
    "src/base/file.h": '#include <stddef.h>\n#include "lcal/status.h"\n',
    "src/format/yaml.c": '#include "format/yaml.h"\n#include <yaml.h>\n#include "base/file.h"\n',
    "src/format/yaml.h": '#include "base/file.h"\n',
    "src/num/gemm.c": "#include <cblas.h>\n#include <immintrin.h>\n",
    "src/train/trainer.c": '#include "calib/lc.h"\n#include "format/yaml.h"\n',
    "include/lcal/status.h": "#include <stddef.h>\n",
    "tools/main.c": '#include "cli.h"\n#include "lcal/status.h"\n#include <stdio.h>\n',
    "tools/cli.h": "",
    "tests/base/test_file.c": '#include "base/file.h"\n' * 600,
}


class Floors(unittest.TestCase):
    def violations(self, planted=None):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**CLEAN, **(planted or {})}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return floors.violations(root)

    def assert_found(self, path, text, *words):
        found = self.violations({path: text})
        self.assertEqual(len(found), 1, found)
        for word in (path, *words):
            self.assertIn(word, found[0])

    def test_clean(self):
        self.assertEqual(self.violations(), [])

    def test_upward(self):
        self.assert_found("src/base/mem.c", '\n#include "engine/tape.h"\n', ":2:", "upwards")
        self.assert_found("src/calib/lc.c", '  #  include "train/trainer.h"\n', ":1:", "upwards")

    def test_sideways(self):
        self.assert_found("src/data/batch.c", '#include "model/config.h"\n', "sideways")
        self.assert_found("src/num/gemm.h", '#include "format/json.h"\n', "sideways")

    def test_unplaced(self):
        self.assert_found("src/extra/a.c", "", "no room")
        self.assert_found("src/a.c", "", "no room")
        self.assert_found("src/base/a.c", '#include "extra/a.h"\n', "no room")
        self.assert_found("src/base/a.c", '#include "file.h"\n', '"base/file.h"')
        self.assert_found("src/base/a.c", "#include <num/gemm.h>\n", "quotes")

    def test_wrapped_libraries(self):
        for header in ("hdf5.h", "H5Ppublic.h", "zlib.h", "yaml.h", "jansson.h"):
            self.assert_found("src/train/a.c", f"#include <{header}>\n", "src/format")
        for header in ("cblas.h", "lapacke.h", "immintrin.h", "arm_neon.h"):
            self.assert_found("src/format/a.c", f"#include <{header}>\n", "src/num")
        self.assert_found("tools/a.c", "#include <hdf5.h>\n", "src/format")
        self.assert_found("include/lcal/a.h", "#include <zlib.h>\n", "src/format")

    def test_public_only(self):
        self.assert_found("tools/a.c", '#include "base/file.h"\n', "public")
        self.assert_found("tools/a.c", '#include "../src/base/file.h"\n', "public")
        self.assert_found("include/lcal/a.h", '#include "base/file.h"\n', "public")

    def test_long_file(self):
        self.assert_found("src/base/a.c", "\n" * 601, "601 lines")
        self.assert_found("tests/base/a.c", "\n" * 601, "601 lines")
        self.assertEqual(self.violations({"src/base/a.c": "\n" * 600}), [])


if __name__ == "__main__":
    unittest.main()
