"""Models by address, from a server of our own that stands for the hub. No network."""
import hashlib
import http.server
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import program

REPO = "/owner/tiny-GGUF"


def gguf(name):
    """A file with a name inside and nothing else that a model has; half a megabyte long."""
    text = name.encode()
    key = b"general.name"
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    head += struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(text)) + text
    return head + bytes(500_000)


class Hub(http.server.BaseHTTPRequestHandler):
    """Files of one repository behind a redirection, as the hub has them. The class holds what it should do."""
    protocol_version = "HTTP/1.1"
    files, requests = {}, []
    ranges = True    # whether the storage continues in the middle
    cut_after = 0    # bytes after which the storage hangs up, once; 0: never
    slow = False     # bytes come slowly
    wrong_hash = False
    token = ""       # wanted of everybody

    def log_message(self, *arguments):
        pass

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def serve(self):
        self.path = self.path.partition("?")[0]
        Hub.requests.append((self.command, self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        storage = self.path.startswith("/storage/")
        if Hub.token and not storage and self.headers.get("Authorization") != f"Bearer {Hub.token}":
            return self.answer(401)
        if self.path == "/api/models" + REPO:
            names = ["README.md", *Hub.files]
            return self.answer(200, body=json.dumps({"siblings": [{"rfilename": n} for n in names]}).encode())
        name = self.path.rsplit("/", 1)[1]
        if name not in Hub.files:
            return self.answer(404)
        data = Hub.files[name]
        if storage:
            return self.store(data)
        digest = hashlib.sha256(b"other" if Hub.wrong_hash else data).hexdigest()
        # Another name of this host: the token must not follow.
        port = self.server.server_address[1]
        return self.answer(302, [("X-Linked-ETag", f'"{digest}"'), ("X-Linked-Size", str(len(data))),
                                 ("Location", f"http://localhost:{port}/storage/{name}")])

    def store(self, data):
        begin = 0
        if Hub.ranges and self.headers.get("Range"):
            begin = int(self.headers["Range"].split("=")[1].split("-")[0])
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        if self.command != "GET":
            return
        end = begin + Hub.cut_after if Hub.cut_after else len(data)
        for at in range(begin, min(end, len(data)), 50_000):
            self.wfile.write(data[at:min(at + 50_000, end)])
            if Hub.slow:
                self.wfile.flush()
                time.sleep(0.5)
        if Hub.cut_after:
            Hub.cut_after = 0
            self.close_connection = True

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass

    do_GET = do_HEAD = serve


class Fetch(unittest.TestCase):
    def setUp(self):
        Hub.files = {"tiny.Q8_0.gguf": gguf("eight"), "tiny.Q4_K_M.gguf": gguf("four")}
        Hub.requests, Hub.ranges, Hub.cut_after, Hub.slow, Hub.wrong_hash, Hub.token = [], True, 0, False, False, ""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.folder = tempfile.TemporaryDirectory()
        self.cache = pathlib.Path(self.folder.name)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.environment = {**os.environ, "HF_ENDPOINT": self.endpoint, "KVSPLIT_CACHE": self.folder.name,
                            "no_proxy": "*"}
        self.environment.pop("HF_TOKEN", None)

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()
        self.folder.cleanup()

    def info(self, model):
        return subprocess.run([program.BINARY, "info", model, "--json"], capture_output=True, text=True, timeout=60,
                              env=self.environment, check=False)

    def expect_name(self, model, name):
        done = self.info(model)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["metadata"]["general.name"].strip('"'), name)

    def expect_refusal(self, model, *says):
        done = self.info(model)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        for text in says:
            self.assertIn(text, done.stderr)

    def left_over(self):
        return sorted(p.name for p in self.cache.rglob("*.part"))

    def test_a_file_comes_once(self):
        self.expect_name(f"hf:{REPO[1:]}/tiny.Q8_0.gguf", "eight")
        self.assertTrue((self.cache / "hf/owner/tiny-GGUF/tiny.Q8_0.gguf").is_file())
        self.assertEqual(self.left_over(), [])
        asked = len(Hub.requests)
        self.expect_name(f"hf:{REPO[1:]}/tiny.Q8_0.gguf", "eight")
        self.assertEqual(len(Hub.requests), asked, "nothing is asked for again")

    def test_a_repository_has_its_usual_file(self):
        self.expect_name(f"hf:{REPO[1:]}", "four")
        asked = len(Hub.requests)
        self.expect_name(f"hf:{REPO[1:]}", "four")
        self.assertEqual(len(Hub.requests), asked)
        self.expect_name(f"hf:{REPO[1:]}:q8_0", "eight")
        self.expect_refusal(f"hf:{REPO[1:]}:q2_k", "q2_k", "tiny.Q8_0.gguf")

    def test_urls(self):
        self.expect_name(f"{self.endpoint}/storage/tiny.Q8_0.gguf", "eight")
        self.expect_name(f"{self.endpoint}{REPO}/resolve/main/tiny.Q8_0.gguf?download=true", "eight")
        self.expect_refusal(self.endpoint, "names no file")

    def test_all_parts_come(self):
        for n in (1, 2, 3):
            Hub.files[f"cut-0000{n}-of-00003.gguf"] = gguf(f"part {n}")
        # These are not really parts of one: that is said after all have come.
        self.expect_refusal(f"hf:{REPO[1:]}/cut-00002-of-00003.gguf", "split.count")
        self.assertEqual(len(list(self.cache.rglob("cut-*.gguf"))), 3)

    def test_a_broken_connection_is_taken_up_again(self):
        Hub.cut_after = 200_000
        self.expect_name(f"hf:{REPO[1:]}/tiny.Q8_0.gguf", "eight")
        ranges = [r[2] for r in Hub.requests if r[0] == "GET" and "/storage/" in r[1]]
        self.assertEqual(ranges, [None, "bytes=200000-"])

    def test_a_server_without_ranges(self):
        Hub.cut_after, Hub.ranges = 200_000, False
        self.expect_name(f"hf:{REPO[1:]}/tiny.Q8_0.gguf", "eight")

    @unittest.skipIf(sys.platform == "win32", "signals")
    def test_an_interrupted_download_goes_on(self):
        Hub.slow = True
        command = [program.BINARY, "info", f"hf:{REPO[1:]}/tiny.Q8_0.gguf"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        for _ in range(200):
            time.sleep(0.05)
            if any(p.stat().st_size for p in self.cache.rglob("*.part")):
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(len(self.left_over()), 1)
        Hub.slow, Hub.requests = False, []
        self.expect_name(f"hf:{REPO[1:]}/tiny.Q8_0.gguf", "eight")
        self.assertTrue(any(r[2] for r in Hub.requests), "the rest was asked for, not all")

    def test_wrong_contents(self):
        Hub.wrong_hash = True
        self.expect_refusal(f"hf:{REPO[1:]}/tiny.Q8_0.gguf", "SHA-256", "deleted")
        self.assertEqual(self.left_over(), [])
        self.assertEqual(list(self.cache.rglob("*.gguf")), [])

    def test_refusals(self):
        self.expect_refusal(f"hf:{REPO[1:]}/none.gguf", "404", "none.gguf")
        self.expect_refusal("hf:owner", "hf:OWNER/REPOSITORY")
        self.expect_refusal("hf:owner/repo/../x.gguf", "hf:OWNER/REPOSITORY")
        Hub.files = {"README.txt": b""}
        self.expect_refusal(f"hf:{REPO[1:]}", "no GGUF files")

    def test_tokens(self):
        Hub.token = "secret"
        self.expect_refusal(f"hf:{REPO[1:]}/tiny.Q8_0.gguf", "401", "HF_TOKEN")
        self.environment["HF_TOKEN"] = "secret"
        self.expect_name(f"hf:{REPO[1:]}/tiny.Q8_0.gguf", "eight")
        self.assertEqual({r[3] for r in Hub.requests if "/storage/" in r[1]}, {None}, "it stays with the hub")

    def test_no_server(self):
        self.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
        self.expect_refusal(f"hf:{REPO[1:]}/tiny.Q8_0.gguf", "127.0.0.1")


if __name__ == "__main__":
    program.main(needs_model=False)
