"""Reads and writes small GGUF files as plain lists, so that a test can change anything in them, also into something broken."""
import struct

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}
ALIGNMENT = 32


class _Cursor:
    def __init__(self, data):
        self.data, self.at = data, 4

    def number(self, code):
        value, = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def string(self):
        size = self.number("Q")
        self.at += size
        return self.data[self.at - size:self.at]

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            element = self.number("I")
            return element, [self.value(element) for _ in range(self.number("Q"))]
        return self.number(FORMATS[kind])


def _string(text):
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def _value(kind, value):
    if kind == STRING:
        return _string(value)
    if kind == ARRAY:
        element, values = value
        return struct.pack("<IQ", element, len(values)) + b"".join(_value(element, v) for v in values)
    return struct.pack("<" + FORMATS[kind], value)


class GgufFile:
    """metadata: [key, kind, value] in order; an array's value is (kind of its elements, values).
    tensors: [name, dimensions, type number, bytes] in order."""

    def __init__(self, path=None):
        self.version, self.metadata, self.tensors = 3, [], []
        if path is not None:
            with open(path, "rb") as file:
                self._read(file.read())

    def _read(self, data):
        cursor = _Cursor(data)
        self.version = cursor.number("I")
        n_tensors, n_keys = cursor.number("Q"), cursor.number("Q")
        for _ in range(n_keys):
            key = cursor.string().decode("utf-8", "surrogateescape")
            kind = cursor.number("I")
            self.metadata.append([key, kind, cursor.value(kind)])
        places = []
        for _ in range(n_tensors):
            name = cursor.string().decode()
            dimensions = [cursor.number("Q") for _ in range(cursor.number("I"))]
            places.append((name, dimensions, cursor.number("I"), cursor.number("Q")))
        base = -(-cursor.at // ALIGNMENT) * ALIGNMENT
        ends = sorted(offset for *_, offset in places) + [len(data) - base]
        for name, dimensions, kind, offset in places:
            end = next(e for e in ends if e > offset)
            self.tensors.append([name, dimensions, kind, data[base + offset:base + end]])

    def get(self, key):
        return next((value for k, _, value in self.metadata if k == key), None)

    def set(self, key, kind, value):
        self.drop(key)
        self.metadata.append([key, kind, value])

    def drop(self, key):
        self.metadata = [entry for entry in self.metadata if entry[0] != key]

    def tensor(self, name):
        return next(t for t in self.tensors if t[0] == name)

    def save(self, path):
        head = b"GGUF" + struct.pack("<IQQ", self.version, len(self.tensors), len(self.metadata))
        head += b"".join(_string(k) + struct.pack("<I", kind) + _value(kind, v) for k, kind, v in self.metadata)
        chunks, size = [], 0
        for name, dimensions, kind, data in self.tensors:
            padding = -size % ALIGNMENT
            head += _string(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
            head += struct.pack("<IQ", kind, size + padding)
            chunks += [bytes(padding), data]
            size += padding + len(data)
        with open(path, "wb") as file:
            file.write(head + bytes(-len(head) % ALIGNMENT) + b"".join(chunks))
        return path
