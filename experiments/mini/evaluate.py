#!/usr/bin/env python3
"""What base, adapters and their combinations can do on the miniature, judged by its oracle.

    python3 experiments/mini/evaluate.py [--models build/mini] [--split valid] [--limit 300]

Single tasks: the base alone, and each adapter on its own task. Composed tasks: the methods given, by
`lcal eval`. Prints a Markdown table of both_ok in percent; a cell that was answered before is not answered
again. Trained methods learn as experiments/mini/calibration.yaml says.
"""
import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from mini.verdict import judge  # noqa: E402 (after the path is known)

PROMPTS: dict[str, str] = json.loads((ROOT / "data/mini/prompts.json").read_text(encoding="utf-8"))
SINGLE = [task for task in PROMPTS if "+" not in task]
COMPOSED = [task for task in PROMPTS if "+" in task]


class Cells:
    """Runs `lcal eval` and judges its answers."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.lcal = arguments.lcal
        self.models = pathlib.Path(arguments.models)
        self.split = arguments.split
        self.limit = arguments.limit
        self.seed = arguments.seed

    def settings(self, task: str) -> list[str]:
        """Everything that the task alone decides, as overrides."""
        data = ROOT / "data/mini"
        name = task.replace("+", "-")
        adapters = [{"path": str(self.models / "adapters" / part)} for part in task.split("+")]
        pairs = {
            "model": str(self.models / "base"), "adapters": adapters,
            "data.train": str(data / f"{name}.train.jsonl.gz"),
            "data.valid": str(data / f"{name}.valid.jsonl.gz"),
            "eval.test": str(data / f"{name}.{self.split}.jsonl.gz"),
            "out": str(self.models / "eval" / self.split / name),
        }
        if "+" in task:
            main, auxiliary = task.split("+")
            pairs["eval.prompt"] = PROMPTS[task] + "\n{text}\n\n"
            pairs["eval.main_prompt"] = PROMPTS[main] + "\n{text}\n\n"
            pairs["eval.aux_prompt"] = PROMPTS[auxiliary] + "\n{text}\n\n"
        return [f"{key}={json.dumps(value)}" for key, value in pairs.items()]

    def judged(self, task: str, method: str) -> dict[str, float]:
        """Shares of main_ok, aux_ok, both_ok in percent."""
        answers = self.models / "eval" / self.split / f"{task.replace('+', '-')}.{method}.jsonl"
        answers.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [self.lcal, "eval", str(ROOT / "experiments/mini/calibration.yaml"), "--method", method,
             "--limit", str(self.limit), "--seed", str(self.seed), "--judge-out", str(answers), "--quiet", "--json",
             *self.settings(task)],
            check=True, stdout=subprocess.DEVNULL)
        total = {"main_ok": 0, "aux_ok": 0, "both_ok": 0}
        count = 0
        with open(answers, encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                verdict = judge(row["task"], row["meta"], row["output"])
                count += 1
                for name in total:
                    total[name] += getattr(verdict, name)
        return {name: 100.0 * value / count for name, value in total.items()}


def table(cells: Cells, title: str, tasks: list[str], methods: list[str]) -> None:
    print(f"\n| {title} | " + " | ".join(methods) + " |\n| --- |" + " --- |" * len(methods), flush=True)
    for task in tasks:
        row = []
        for method in methods:
            print(f"{task}: {method}", file=sys.stderr, flush=True)
            shares = cells.judged(task, method)
            row.append(f"{shares['both_ok']:.0f} ({shares['main_ok']:.0f}, {shares['aux_ok']:.0f})")
        print(f"| {task} | " + " | ".join(row) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lcal", default=str(ROOT / "build/tools/lcal"))
    parser.add_argument("--models", default=str(ROOT / "build/mini"))
    parser.add_argument("--split", default="valid", choices=["valid", "test"])
    parser.add_argument("--limit", type=int, default=300, help="examples a cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", nargs="*", default=SINGLE + COMPOSED)
    parser.add_argument("--methods", nargs="*",
                        default=["zero-shot", "main-lora", "auxiliary-lora", "concat", "multi-step"],
                        help="of `lcal methods`, for the composed tasks")
    arguments = parser.parse_args()
    cells = Cells(arguments)
    print("both_ok (main_ok, aux_ok) in percent, "
          f"{arguments.limit} examples of {arguments.split} a cell, seed {arguments.seed}")
    single = [task for task in arguments.tasks if task in SINGLE]
    composed = [task for task in arguments.tasks if task in COMPOSED]
    if single:
        table(cells, "single task", single, ["zero-shot", "main-lora"])
    if composed:
        table(cells, "composed task", composed, arguments.methods)


if __name__ == "__main__":
    main()
