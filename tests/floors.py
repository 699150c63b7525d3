#!/usr/bin/env python3
"""The house's rules on includes and sizes: python3 tests/floors.py [ROOT]. Status 1 if any is broken.

* src/ROOM may include "ROOM/...", rooms on lower floors, and the public "lcal/...".
* include/ may include only "lcal/..." and the C library, so that it compiles alone.
* tools/ may include only "lcal/..." and its own headers: it is the first user of the public API.
* A library that one room wraps is included only there.
* No file of code is longer than 600 lines.
"""
import os
import re
import sys

FLOORS = {
    "base": 0,
    "num": 1, "format": 1,
    "config": 2, "data": 2, "model": 2,
    "engine": 3, "merge": 3,
    "calib": 4,
    "train": 5, "eval": 5,
    "methods": 6, "export": 6, "inspect": 6, "bench": 6,
}

# Header (as a pattern for the whole name) -> the one folder that may include it.
WRAPPED = [
    (r"(hdf5|H5\w*)\.h", "src/format"),
    (r"zlib\.h", "src/format"),
    (r"yaml\.h|cyaml/.*", "src/format"),
    (r"pcre2\.h", "src/data"),
    (r"utf8proc\.h", "src/data"),
    (r"(cblas|f77blas|lapacke?|openblas_config)\.h|(openblas|cblas|lapacke)/.*", "src/num"),
    (r"\w*mmintrin\.h|x86intrin\.h|arm_(neon|sve|bf16)\.h|cpuid\.h", "src/num"),
    (r"openssl/.*", "src/base"),
    (r"nlopt\.h", "src/methods"),
]

LONGEST = 600
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def walk(root, folder, endings):
    """Paths below root/folder, relative to root, sorted."""
    for where, folders, files in os.walk(os.path.join(root, folder)):
        folders.sort()
        for name in sorted(files):
            if name.endswith(endings):
                yield os.path.relpath(os.path.join(where, name), root).replace(os.sep, "/")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def room_problem(room, header):
    """Why a file of src/ROOM may not include "header"; None where it may."""
    other = header.split("/")[0]
    if "/" not in header:
        return f'is not written "{room}/{header}"'
    if other in ("lcal", room):
        return None
    if other not in FLOORS:
        return "is in no room of src/ (a new room needs a floor in tests/floors.py)"
    if FLOORS[other] < FLOORS[room]:
        return None
    way = "sideways" if FLOORS[other] == FLOORS[room] else "upwards"
    return f"goes {way}: {room} is on floor {FLOORS[room]}, {other} on floor {FLOORS[other]}"


def include_problem(root, path, quoted, header):
    """Why the file at path may not include the header; None where it may."""
    folder = "/".join(path.split("/")[:2])
    for pattern, owner in WRAPPED:
        # "format/yaml.h" is ours, <yaml.h> is the library's.
        if re.fullmatch(pattern, header) and folder != owner:
            return f"belongs to {owner} alone"
    if not quoted:
        return "is ours: write it in quotes" if header.split("/")[0] in FLOORS else None
    if path.startswith("src/"):
        return room_problem(path.split("/")[1], header)
    if header.startswith("lcal/"):
        return None
    if path.startswith("tools/"):
        own = os.path.normpath(os.path.join(os.path.dirname(path), header)).replace(os.sep, "/")
        if own.startswith("tools/") and os.path.exists(os.path.join(root, own)):
            return None
        return 'is not public: tools/ uses "lcal/..." and its own headers only'
    return 'is not public: include/ uses "lcal/..." and the C library only'


def violations(root):
    """Messages, one a broken rule."""
    found = []
    for folder in ("src", "include", "tools"):
        for path in walk(root, folder, (".c", ".h", ".inc", ".in")):
            parts = path.split("/")
            if parts[0] == "src" and (len(parts) < 3 or parts[1] not in FLOORS):
                found.append(f"{path}: stands in no room (a new room needs a floor in tests/floors.py)")
                continue
            text = read(root, path)
            for match in INCLUDE.finditer(text):
                problem = include_problem(root, path, match.group(1) == '"', match.group(2))
                if problem:
                    line = text.count("\n", 0, match.start()) + 1
                    found.append(f"{path}:{line}: include of {match.group(2)} {problem}")
    for folder in ("src", "include", "tools", "tests"):
        for path in walk(root, folder, (".c", ".h", ".inc", ".py", ".sh")):
            lines = read(root, path).count("\n")
            if lines > LONGEST:
                found.append(f"{path}: {lines} lines, at most {LONGEST}: give its second duty a file")
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    found = violations(root)
    for message in found:
        print(message)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
