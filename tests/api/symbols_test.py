"""The shared library exports what include/lcal declares, all of it and nothing else.

Arguments: the library, then the folders that hold the public headers.
"""
import pathlib
import re
import subprocess
import sys
import unittest

LIBRARY, FOLDERS = sys.argv[1], [pathlib.Path(folder) for folder in sys.argv[2:]]
DECLARATION = re.compile(r"\bLCAL_API\b([^;{]*?)\b(\w+)\s*\(", re.S)


def declared():
    names = set()
    for folder in FOLDERS:
        for header in folder.glob("*.h"):
            text = re.sub(r"/\*.*?\*/|^\s*#[^\n]*", "", header.read_text(encoding="utf-8"),
                          flags=re.S | re.M)
            names.update(match.group(2) for match in DECLARATION.finditer(text))
    return names


def exported():
    out = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], check=True, text=True,
                         capture_output=True).stdout
    # Sanitizers add symbols of their own, none of which begins like ours.
    return {line.split()[-1].split("@")[0] for line in out.splitlines()}


class Symbols(unittest.TestCase):
    def test_declared_is_exported(self):
        self.assertGreater(len(declared()), 40)
        self.assertEqual(sorted(declared() - exported()), [])

    def test_exported_is_declared(self):
        foreign = {name for name in exported() - declared()
                   if not re.match(r"(__)?(asan|ubsan|sanitizer|odr_asan|sancov|llvm|gcov)", name)}
        self.assertEqual(sorted(foreign), [])

    def test_names(self):
        self.assertEqual([name for name in declared()
                          if not re.fullmatch(r"lcal_[a-z0-9]+(_[a-z0-9]+)*", name)], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
