"""What the tests of the command line share: running the built binary, fixtures, checks.

LCAL_TOOL names the binary, LCAL_TEST_SOURCE the folder tests/ (both set by Meson).
"""
import json
import os
import pathlib
import subprocess

TOOL = os.environ.get("LCAL_TOOL", "lcal")
TESTS = pathlib.Path(os.environ.get("LCAL_TEST_SOURCE", pathlib.Path(__file__).parent.parent)).resolve()
MODELS = TESTS / "golden" / "models"
QUICKSTART = TESTS.parent / "data" / "quickstart"
os.environ.setdefault("LCAL_CACHE", "")  # nothing of a test stays in the user's cache


def run(*arguments, **keywords):
    """The finished process, output as text. A run that hangs fails."""
    keywords.setdefault("timeout", 120)
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, check=False,
                          **keywords)


def succeed(*arguments, **keywords):
    """Standard output of a run that must exit 0."""
    done = run(*arguments, **keywords)
    assert done.returncode == 0, f"lcal {arguments}: {done.returncode}: {done.stderr}"
    return done.stdout


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def examples(count=12, length=16, vocab=512):
    """Deterministic pre-tokenised examples, the second half of each labelled."""
    rows = []
    for i in range(count):
        ids = [1] + [(7 * i + 13 * t * t + t) % (vocab - 3) + 3 for t in range(1, length + i % 3)]
        rows.append({"input_ids": ids, "labels": [-100] * (len(ids) // 2) + ids[len(ids) // 2:]})
    return rows


def contents(directory):
    """Name -> bytes of every file below a directory."""
    return {str(path.relative_to(directory)): path.read_bytes()
            for path in sorted(directory.rglob("*")) if path.is_file()}


def config(path, out, train, **keys):
    """Writes a small, quick configuration; keys are dotted ("train__lr": 1) and win."""
    settings = {
        "model": MODELS / "tiny-llama3",
        "method": "lcpp",
        "data.train": train,
        "data.max_length": 64,
        "train.steps": 6,
        "train.batch_tokens": 64,
        "train.log_every": 1,
        "train.save_every": 2,
        "train.threads": 1,
        "out": out,
    }
    settings.update({key.replace("__", "."): value for key, value in keys.items()})
    tree = {}
    for key, value in settings.items():
        *parents, leaf = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = str(value) if isinstance(value, pathlib.Path) else value
    path.write_text(json.dumps(tree, indent=1), encoding="utf-8")  # JSON is YAML
    return path
