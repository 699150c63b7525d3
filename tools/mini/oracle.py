#!/usr/bin/env python3
"""Judge outputs on the miniature: `oracle.py FILE` reads JSON lines with "task", "meta", "output"
(plain or .gz, - for standard input) and writes one line {"main_ok", "aux_ok", "both_ok", "reason"}
for each, and a summary a task to stderr. --field: where the output is, if not in "output".

As a module: from mini.verdict import judge.
"""
import argparse
import gzip
import json
import pathlib
import sys
from collections import defaultdict
from typing import IO, Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from mini.verdict import Verdict, judge  # noqa: E402


def opened(path: str) -> IO[str]:
    if path == "-":
        return sys.stdin
    if path.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8")
    return open(path, encoding="utf-8")


def judged(file: IO[str], field: str) -> Iterator[tuple[str, Verdict]]:
    """Task and verdict of every line. ValueError names the line that is none."""
    for number, line in enumerate(file, 1):
        try:
            row = json.loads(line)
            yield row["task"], judge(row["task"], row["meta"], str(row[field]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"line {number}: {type(error).__name__}: {error}; expected task, meta "
                             f"and {field}") from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", help="JSON lines, plain or .gz; - for standard input")
    parser.add_argument("--field", default="output", help="the field that holds the output")
    arguments = parser.parse_args()
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    try:
        with opened(arguments.file) as file:
            for task, verdict in judged(file, arguments.field):
                flags = (verdict.main_ok, verdict.aux_ok, verdict.both_ok)
                print(json.dumps(dict(zip(("main_ok", "aux_ok", "both_ok", "reason"),
                                          (*flags, verdict.reason))), ensure_ascii=False))
                for at, flag in enumerate((True, *flags)):
                    counts[task][at] += flag
    except ValueError as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"oracle.py: {error}", file=sys.stderr)
        return 5
    for task, (total, *right) in counts.items():
        shares = ", ".join(f"{name} {100 * count / total:.1f} %"
                           for name, count in zip(("main_ok", "aux_ok", "both_ok"), right))
        print(f"{task}: {total} outputs, {shares}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
