"""What the tests of the miniature share: where things are, and rows of files."""
import gzip
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
DATA = ROOT / "data" / "mini"
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOOLS))

FLAGS = ("main_ok", "aux_ok")


def read(path):
    """Rows of a .jsonl or .jsonl.gz file."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
