"""A strict reader of GGUF version 3, independent of lcal's: the rules of ggml's docs/gguf.md and of
its reader."""
import struct

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
TYPES = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 8: ("Q8_0", 32, 34), 30: ("BF16", 1, 2)}


class Cursor:
    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, size):
        assert self.at + size <= len(self.content), "cut short"
        self.at += size
        return self.content[self.at - size:self.at]

    def number(self, code):
        return struct.unpack("<" + code, self.take(struct.calcsize(code)))[0]

    def text(self):
        return self.take(self.number("Q")).decode()

    def value(self, kind):
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            kind, count = self.number("I"), self.number("Q")
            assert kind != ARRAY, "nested array"
            return [self.value(kind) for _ in range(count)]
        return self.number(SCALARS[kind])


def decode(kind, content):
    """Values of a tensor as Python floats."""
    if kind == "F32":
        return list(struct.unpack(f"<{len(content) // 4}f", content))
    if kind == "F16":
        return list(struct.unpack(f"<{len(content) // 2}e", content))
    if kind == "BF16":
        halves = struct.unpack(f"<{len(content) // 2}H", content)
        return list(struct.unpack(f"<{len(halves)}f", struct.pack(f"<{len(halves)}I", *(h << 16 for h in halves))))
    values = []
    for at in range(0, len(content), 34):
        scale, *levels = struct.unpack("<e32b", content[at:at + 34])
        values += [scale * level for level in levels]
    return values


def read_gguf(content):
    """(keys, tensors): name -> value, name -> (type, shape with the slowest first, bytes)."""
    cursor = Cursor(content)
    assert cursor.take(4) == b"GGUF" and cursor.number("I") == 3
    tensor_count, key_count = cursor.number("Q"), cursor.number("Q")
    keys, rows = {}, []
    for _ in range(key_count):
        name = cursor.text()
        assert name and name not in keys, name
        keys[name] = cursor.value(cursor.number("I"))
    for _ in range(tensor_count):
        name = cursor.text()
        extents = [cursor.number("Q") for _ in range(cursor.number("I"))]
        rows.append((name, extents, cursor.number("I"), cursor.number("Q")))
    assert len({row[0] for row in rows}) == len(rows), "a name twice"
    start = (cursor.at + 31) // 32 * 32
    assert not any(content[cursor.at:start]), "padding that is not zero"
    tensors, end = {}, 0
    for name, extents, kind, offset in rows:
        assert 0 < len(name.encode()) < 64 and 1 <= len(extents) <= 4, name
        label, block, size = TYPES[kind]
        assert extents[0] % block == 0 and offset == end, name
        assert len(extents) > 1 or label == "F32", f"{name}: a vector of {label}"
        elements = 1
        for extent in extents:
            elements *= extent
        length = elements // block * size
        end = offset + (length + 31) // 32 * 32
        assert start + offset + length <= len(content), name
        assert not any(content[start + offset + length:start + end]), "padding that is not zero"
        tensors[name] = label, extents[::-1], content[start + offset:start + offset + length]
    assert start + end == len(content), "bytes behind the last tensor"
    return keys, tensors
