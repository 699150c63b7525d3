"""The memory plan against what a process really took, at a shape where activations and weights count.

Skipped under the address sanitizer, whose shadow memory counts as the process's own.
"""
import json
import sys

from lcal_tool import succeed

SHAPE = "135m"
BAR = 0.10


def test_plan_is_what_it_takes():
    for method in ("lc", "lcpp"):
        row = json.loads(succeed("bench", "--shape", SHAPE, "--method", method, "--steps", "1",
                                 "--threads", "2", "--json").splitlines()[-1])
        ratio = row["peak_rss"] / row["planned_bytes"]
        print(f"{SHAPE} {method}: {row['peak_rss']} bytes measured, {row['planned_bytes']} planned")
        assert abs(ratio - 1) <= BAR, ratio


if __name__ == "__main__":
    if "address" in sys.argv[1:]:
        print("skipped: the address sanitizer's memory counts as the process's own")
        sys.exit(77)
    test_plan_is_what_it_takes()
    print("1 passed")
