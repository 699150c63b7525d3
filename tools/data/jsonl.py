"""JSON lines, plain or gzip by the file's name."""
import gzip
import json


def read_lines(path):
    """(number from 1, object) of every line."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            yield number, json.loads(line)


def write_lines(path, rows):
    """Equal rows give equal bytes: a .gz holds neither clock time nor name."""
    text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    with open(path, "wb") as file:
        if path.endswith(".gz"):
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=9, mtime=0) as out:
                out.write(text.encode("utf-8"))
        else:
            file.write(text.encode("utf-8"))
