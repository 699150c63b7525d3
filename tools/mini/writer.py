"""JSON lines, gzip by the name; equal rows give equal bytes."""
import gzip
import json
import pathlib
from typing import Any, Iterable


def lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
                   for row in rows).encode("utf-8")


def write(path: pathlib.Path, data: bytes) -> None:
    """A .gz holds neither clock time nor name."""
    with open(path, "wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=9,
                               mtime=0) as out:
                out.write(data)
        else:
            file.write(data)
