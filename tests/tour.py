#!/usr/bin/env python3
"""docs/architecture.md names every file of code, and no file that is not there.

python3 tests/tour.py [ROOT]. A section "## FOLDER: ..." tours the files directly in FOLDER; in its list
each `name` before the colon is a file, without its ending where it is C. Status 1 where the tour and
the tree differ.
"""
import os
import re
import sys

SECTION = re.compile(r"^## ([\w/]+): ", re.MULTILINE)
CODE = (".c", ".h", ".inc", ".h.in", ".sh", ".py")


def toured(document):
    """{folder: names} of the document's sections."""
    parts = SECTION.split(document)
    folders = {}
    for folder, text in zip(parts[1::2], parts[2::2]):
        items = re.findall(r"^\* .*(?:\n  .*)*", text, re.MULTILINE)
        folders[folder] = {name for item in items for name in re.findall(r"`([\w./]+)`", item)}
    return folders


def name_of(path):
    """What the tour calls a file: C by its stem, all endings being one thing; scripts in full."""
    return path if path.endswith((".sh", ".py")) else path.split(".")[0]


def present(root):
    """{folder: names} of the tree: rooms, the public headers, the tools."""
    folders = {}
    for top in ("src", "include", "tools"):
        for where, _, files in os.walk(os.path.join(root, top)):
            folder = os.path.relpath(where, root).replace(os.sep, "/")
            inside = "" if top != "tools" else folder[len("tools/"):] + "/" if folder != "tools" else ""
            names = {inside + name_of(name) for name in files if name.endswith(CODE)}
            if names:
                folders.setdefault(top if top == "tools" else folder, set()).update(names)
    return folders


def differences(root):
    """Messages, one a file that only one side knows."""
    with open(os.path.join(root, "docs", "architecture.md"), encoding="utf-8") as file:
        told = toured(file.read())
    there = present(root)
    found = []
    for folder in sorted(there.keys() | told.keys()):
        for name in sorted(there.get(folder, set()) - told.get(folder, set())):
            found.append(f"docs/architecture.md: section {folder} does not name {name}")
        for name in sorted(told.get(folder, set()) - there.get(folder, set())):
            found.append(f"docs/architecture.md: section {folder} names {name}, which is not there")
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    found = differences(root)
    for message in found:
        print(message)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
