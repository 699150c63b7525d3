#!/usr/bin/env python3
"""Plants violations in small trees: do tests/floors.py and tests/tour.py find each of them?"""
import os
import tempfile
import unittest

import floors
import tour

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


TOUR = """# A tour
## include/lcal: public
* `status`: codes
## src/base: below
* `file`: bytes
## src/format: bytes
* `yaml`: text, in any mood
## src/num: numbers
* `gemm`: products
## src/train: above
* `trainer`: steps,
  `schedule`: their size
## tools: the command
* `main`, `cli`: and `data/make.py`
## tests, data
Prose about `anything`.
"""


def look(check, files):
    """What a check says of a tree of these files, {path: text}."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return check(root)


class Floors(unittest.TestCase):
    def violations(self, planted=None):
        return look(floors.violations, {**CLEAN, **(planted or {})})

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
        for header in ("hdf5.h", "H5Ppublic.h", "zlib.h", "yaml.h"):
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


class Tour(unittest.TestCase):
    TREE = {**CLEAN, "docs/architecture.md": TOUR, "src/train/schedule.c": "", "src/train/meson.build": "",
            "tools/data/make.py": ""}

    def test_complete(self):
        self.assertEqual(look(tour.differences, self.TREE), [])

    def test_untold(self):
        found = look(tour.differences, {**self.TREE, "src/num/tiles.h": "", "src/data/batch.c": ""})
        self.assertEqual([message.split(": ")[1] for message in found],
                         ["section src/data does not name batch", "section src/num does not name tiles"])

    def test_gone(self):
        tree = {path: text for path, text in self.TREE.items() if path != "tools/data/make.py"}
        found = look(tour.differences, tree)
        self.assertEqual(len(found), 1, found)
        self.assertIn("data/make.py, which is not there", found[0])


if __name__ == "__main__":
    unittest.main()
