"""A reader of safetensors that shares nothing with lcal's: every rule of the format is checked."""
import json
import math
import struct

SIZES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "U8": 1}


def unique(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a name given twice"
    return dict(pairs)


def read_safetensors(path):
    """Name -> (dtype, shape, bytes), and the metadata."""
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    assert size <= 100_000_000 and 8 + size <= len(data) and size % 8 == 0
    text = data[8:8 + size].decode("utf-8")
    assert text.startswith("{") and text.rstrip(" ").endswith("}")
    header = json.loads(text, object_pairs_hook=unique)
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(value, str) for value in metadata.values())
    body, tensors, end = data[8 + size:], {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        assert set(entry) == {"dtype", "shape", "data_offsets"}
        first, last = entry["data_offsets"]
        assert first == end and last - first == math.prod(entry["shape"]) * SIZES[entry["dtype"]]
        assert (8 + size + first) % SIZES[entry["dtype"]] == 0
        tensors[name] = (entry["dtype"], entry["shape"], body[first:last])
        end = last
    assert end == len(body)
    return tensors, metadata
