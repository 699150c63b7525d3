#!/usr/bin/env python3
"""Count a Meson test log: python3 tools/test_summary.py build/meson-logs/testlog.json

A cmocka program counts by its cases, any other program as one. Names what was skipped, with the
reason the test printed, and what failed; ends with the line "N passed, N failed" (and ", N skipped"
where there are any). Status 1 if anything failed or nothing ran.
"""
import json
import re
import sys

CASE = re.compile(r"^\[ *(RUN|OK|FAILED|SKIPPED) *\] (\S+)$")


def cases(output):
    """(passed, failed, skipped with reasons) of a cmocka program's standard output."""
    passed, failed, skipped, printed = 0, [], [], ""
    for line in output.split("\n"):
        match = CASE.match(line)
        if not match:
            printed = line.strip() or printed
            continue
        result, name = match.groups()
        if result == "RUN":
            printed = ""
        elif result == "OK":
            passed += 1
        elif result == "FAILED":
            failed.append(name)
        else:
            skipped.append(f"{name} ({printed})" if printed else name)
    return passed, failed, skipped


def count(records):
    """(passed, failed names, skipped names) of a Meson log's records."""
    passed, failed, skipped = 0, [], []
    for record in records:
        program, result = record["name"], record["result"]
        in_passed, in_failed, in_skipped = cases(record.get("stdout", ""))
        good = result in ("OK", "EXPECTEDFAIL")
        if good and not (in_passed or in_failed or in_skipped):
            in_passed = 1
        elif result == "SKIP":
            in_skipped = in_skipped or [""]
        elif not good and not in_failed:
            in_failed = [result]
        # A failed case fails the run whatever its program's exit status says.
        passed += in_passed
        failed += [f"{program}: {name}" for name in in_failed]
        skipped += [f"{program}: {name}".rstrip(": ") for name in in_skipped]
    return passed, failed, skipped


def main():
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            records = [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        records = []
    passed, failed, skipped = count(records)
    for name in skipped:
        print(f"skipped: {name}")
    for name in failed:
        print(f"FAILED: {name}")
    if not records:
        print("no test ran")
    print(f"{passed} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failed or not records else 0


if __name__ == "__main__":
    sys.exit(main())
