"""Models by address, from a server of our own that stands for the hub. No network."""
import gzip
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import program
import tiny_models
from hub import REPO, Hub, Server, gguf

TINY = f"hf:{REPO[1:]}/tiny.Q8_0.gguf"
PAGE = b"<!DOCTYPE html><html>Please sign in</html>"


def status(code, *headers):
    return lambda handler: handler.answer(code, headers)


def page(handler):
    handler.answer(200, [("Content-Type", "text/html; charset=utf-8")], PAGE)


class FetchTest(unittest.TestCase):
    def setUp(self):
        Hub.reset({"tiny.Q8_0.gguf": gguf("eight"), "tiny.Q4_K_M.gguf": gguf("four")})
        self.server = Server()
        self.addCleanup(self.server.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = pathlib.Path(folder.name) / "cache"
        self.endpoint = self.server.address
        self.largest_file = 0  # bytes that the program may write to one; 0: any
        self.storage = f"{self.endpoint}/storage"
        self.environment = {**os.environ, "HF_ENDPOINT": self.endpoint, "KVSPLIT_CACHE": str(self.cache),
                            "KVSPLIT_RETRY_PAUSE": "0.01", "no_proxy": "*"}
        self.environment.pop("HF_TOKEN", None)

    def start(self, model):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.largest_file, self.largest_file))
        return subprocess.Popen([program.BINARY, "info", model, "--json"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.environment,
                                preexec_fn=limit if self.largest_file else None)

    def start_and_hold(self, model):
        """A program that has loaded the first bytes, and gets more when Hub.hold is set."""
        Hub.hold = threading.Event()
        self.addCleanup(Hub.hold.set)
        process = self.start(model)
        self.wait_for(lambda: any(p.stat().st_size for p in self.cache.rglob("*.part")))
        return process

    def end(self, process):
        stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def info(self, model):
        return self.end(self.start(model))

    def name_in(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["metadata"]["general.name"].strip('"')

    def expect_name(self, model, name, *says):
        done = self.info(model)
        self.assertEqual(self.name_in(done), name)
        for text in says:
            self.assertIn(text, done.stderr)
        return done

    def expect_refusal(self, model, *says):
        done = self.info(model)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        for text in says:
            self.assertIn(text, done.stderr)
        return done

    def left_over(self):
        return sorted(p.name for end in ("part", "lock") for p in self.cache.rglob(f"*.{end}"))

    def kept(self):
        return sorted(p.name for p in self.cache.rglob("*.gguf"))

    def ranges(self):
        return [r[2] for r in Hub.requests if "/storage/" in r[1]]

    def wait_for(self, condition):
        for _ in range(500):
            if condition():
                return
            time.sleep(0.02)
        self.fail("that should have happened")


class Fetch(FetchTest):
    def test_a_file_comes_once(self):
        self.expect_name(TINY, "eight")
        self.assertTrue((self.cache / "hf/owner/tiny-GGUF/tiny.Q8_0.gguf").is_file())
        self.assertEqual(self.left_over(), [])
        asked = len(Hub.requests)
        self.expect_name(TINY, "eight", f"using {self.cache}/hf/owner/tiny-GGUF/tiny.Q8_0.gguf")
        self.assertEqual(len(Hub.requests), asked, "nothing is asked for again")

    def test_a_repository_has_its_usual_file(self):
        self.expect_name(f"hf:{REPO[1:]}", "four")
        asked = len(Hub.requests)
        self.expect_name(f"hf:{REPO[1:]}", "four")
        self.assertEqual(len(Hub.requests), asked)
        self.expect_name(f"hf:{REPO[1:]}:q8_0", "eight")
        self.expect_refusal(f"hf:{REPO[1:]}:q2_k", "q2_k", "tiny.Q8_0.gguf")

    def test_side_files_are_not_chosen(self):
        Hub.files = {"x.mmproj-q4_k_m.gguf": gguf("projector"), "draft-Q4_K_M.gguf": gguf("draft"),
                     "sub/x.Q8_0.gguf": gguf("model")}
        # A choice that an earlier version made.
        folder = self.cache / "hf" / REPO[1:]
        folder.mkdir(parents=True)
        (folder / ".chosen").write_text("x.mmproj-q4_k_m.gguf\n")
        (folder / "x.mmproj-q4_k_m.gguf").write_bytes(gguf("projector"))
        self.expect_name(f"hf:{REPO[1:]}", "model", "sub/x.Q8_0.gguf")

    def test_revisions(self):
        self.expect_name(f"hf:{REPO[1:]}@refs%2Fpr%2F1:Q8_0", "eight")
        asked = [r[1] for r in Hub.requests]
        self.assertIn(f"/api/models{REPO}/revision/refs%2Fpr%2F1", asked)
        self.assertIn(f"{REPO}/resolve/refs%2Fpr%2F1/tiny.Q8_0.gguf", asked)
        self.expect_name(f"hf:{REPO[1:]}@v2/tiny.Q8_0.gguf", "eight")
        self.assertEqual(len(self.kept()), 2)

    def test_urls(self):
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "eight")
        self.expect_name(f"{self.endpoint}{REPO}/resolve/main/tiny.Q8_0.gguf?download=true", "eight")
        self.expect_name(f"{self.endpoint}{REPO}/blob/main/tiny.Q4_K_M.gguf", "four")
        self.expect_refusal(self.endpoint, "names no file")
        for other in ("ftp://127.0.0.1/x.gguf", "file:///x.gguf", "s3://bucket/x.gguf"):
            self.expect_refusal(other, other, "https://")

    def test_all_parts_come(self):
        for n in (1, 2, 3):
            Hub.files[f"cut-0000{n}-of-00003.gguf"] = gguf(f"part {n}")
        # These are not really parts of one: that is said after all have come.
        self.expect_refusal(f"hf:{REPO[1:]}/cut-00002-of-00003.gguf", "split.count")
        self.expect_refusal(f"{self.storage}/cut-00001-of-00003.gguf?id=1", "split.count")
        folders = {p.parent for p in self.cache.rglob("cut-*.gguf")}
        self.assertEqual((len(self.kept()), len(folders)), (6, 2))

    def test_names(self):
        names = ["a b.gguf", "m\u00fcll.gguf", "x" * 240 + ".gguf", "50%.gguf"]
        for n, name in enumerate(names):
            Hub.files[name] = gguf(f"file {n}")
        for n, name in enumerate(names):
            self.expect_name(f"hf:{REPO[1:]}/{name}", f"file {n}")
        self.expect_name(f"{self.storage}/a b.gguf", "file 0")
        self.expect_name(f"{self.storage}/a%20b.gguf", "file 0", "using")
        self.expect_name(f"{self.storage}/{names[1]}", "file 1")
        self.expect_name(f"{self.storage}/{names[2]}", "file 2")
        # The server reads these as paths, and the cache as a name.
        self.expect_name(f"{self.endpoint}/..%2F..%2F..%2Fx/tiny.Q8_0.gguf", "eight")
        Hub.files["x/tiny.Q8_0.gguf"] = gguf("eight")
        self.expect_name(f"{self.storage}/x%2Ftiny.Q8_0.gguf", "eight")
        self.assertIn("x%2Ftiny.Q8_0.gguf", self.kept())
        self.assertEqual([p.name for p in self.cache.parent.iterdir()], ["cache"])

    def test_queries(self):
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf?id=1", "eight")
        Hub.files["tiny.Q8_0.gguf"] = gguf("other")
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf?id=2", "other")
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "other")
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf?id=1#part", "eight", "using")
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf?id=1&X-Amz-Signature=2&X-Amz-Date=3", "eight", "using")

    def test_old_folders_are_used(self):
        host = self.endpoint.partition("://")[2]
        old = self.cache / "url" / f"user:secret@{host}" / "folder"
        old.mkdir(parents=True)
        (old / "x.gguf").write_bytes(gguf("old"))
        self.expect_name(f"http://user:secret@{host}/folder/x.gguf?download=true", "old")
        self.assertEqual(Hub.requests, [])
        self.assertNotIn("secret", str(list(self.cache.rglob("*"))))

    def test_an_interrupted_download_goes_on(self):
        process = self.start_and_hold(TINY)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(len(self.left_over()), 1)
        Hub.hold.set()
        Hub.requests = []
        self.expect_name(TINY, "eight")
        self.assertTrue(any(r[2] for r in Hub.requests), "the rest was asked for, not all")
        self.assertEqual(self.left_over(), [])

    def test_refusals(self):
        self.expect_refusal(f"hf:{REPO[1:]}/none.gguf", "404", "none.gguf")
        self.expect_refusal("hf:owner", "hf:OWNER/REPOSITORY")
        self.expect_refusal("hf:owner/repo/../x.gguf", "hf:OWNER/REPOSITORY")
        Hub.files = {"README.txt": b""}
        self.expect_refusal(f"hf:{REPO[1:]}", "no GGUF files")

    def test_offline(self):
        """What was loaded once needs no network, by whichever address of the hub it was loaded."""
        self.expect_name(TINY, "eight")
        self.expect_name(f"hf:{REPO[1:]}", "four")
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "eight")
        self.server.close()
        for model, name in ((TINY, "eight"), (f"hf:{REPO[1:]}", "four"), (f"hf:{REPO[1:]}:Q8_0", "eight"),
                            (f"{self.storage}/tiny.Q8_0.gguf", "eight")):
            self.expect_name(model, name, "using")
        self.expect_refusal(f"hf:{REPO[1:]}:Q2_K", "no file has 'Q2_K'")
        self.expect_refusal(f"hf:{REPO[1:]}/other.gguf", "127.0.0.1")


class Contents(FetchTest):
    def test_pages_are_not_kept(self):
        for trouble, *says in (
                (page, "an HTML page", "text/html", "Please sign in"),
                (lambda h: h.answer(200, body=b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
                (lambda h: h.answer(200, body=b'{"error": "expired"}'), "JSON", "expired"),
                (lambda h: h.answer(200, body=gzip.compress(gguf("x"))), "gzip"),
                (lambda h: h.answer(200), "empty"),
                (lambda h: h.answer(200, body=b"x" * 100_000), "no GGUF file", "xxx")):
            for model in (TINY, f"{self.storage}/tiny.Q8_0.gguf"):
                Hub.trouble = [trouble]
                self.expect_refusal(model, *says)
                self.assertEqual(self.kept() + self.left_over(), [])
        self.expect_name(TINY, "eight")

    def test_a_page_in_the_place_of_the_list(self):
        Hub.trouble = [page]
        self.expect_refusal(f"hf:{REPO[1:]}", "an HTML page", "Please sign in")
        self.expect_name(f"hf:{REPO[1:]}", "four")

    def test_a_page_that_was_kept_goes(self):
        folder = self.cache / "hf" / REPO[1:]
        folder.mkdir(parents=True)
        (folder / "tiny.Q8_0.gguf").write_bytes(PAGE)
        self.expect_name(TINY, "eight", "is not a GGUF file; loading it again")

    def test_compressed_on_the_way(self):
        Hub.trouble = [lambda h: h.answer(200, [("Content-Encoding", "gzip"), ("ETag", '"x"')],
                                          gzip.compress(Hub.files["tiny.Q8_0.gguf"]))]
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "eight")

    def test_wrong_contents(self):
        Hub.wrong_hash = True
        self.expect_refusal(TINY, "SHA-256", "deleted")
        self.assertEqual(self.kept() + self.left_over(), [])

    def test_wrong_size(self):
        data = Hub.files["tiny.Q8_0.gguf"]
        Hub.trouble = [lambda h: h.answer(200, [("X-Linked-ETag", '"x"'), ("X-Linked-Size", "123")], data)]
        self.expect_refusal(TINY, "the server states 123", "deleted")
        self.assertEqual(self.kept() + self.left_over(), [])


    def test_an_end_that_comes_too_early(self):
        """No length is stated, so that a connection which breaks looks like one that has brought everything."""
        whole = self.cache.parent / "whole.gguf"
        tiny_models.random_model(whole, head_dim=16)
        data = whole.read_bytes()

        def send(handler, size):
            handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + data[:size])
            handler.close_connection = True
        Hub.trouble = [lambda h: send(h, len(data) - 100), lambda h: send(h, len(data))]
        self.expect_refusal(f"{self.storage}/x.gguf", "not all", "deleted")
        self.assertEqual(self.kept() + self.left_over(), [])
        self.expect_name(f"{self.storage}/x.gguf", "tiny")


class Trouble(FetchTest):
    def test_passing_trouble(self):
        for code in (408, 429, 500, 502, 503, 504):
            shutil.rmtree(self.cache, ignore_errors=True)
            Hub.trouble = [status(code, ("Retry-After", "0")), status(code)]
            self.expect_name(TINY, "eight", f"HTTP {code}; trying again in", "(2 of 6)", "(3 of 6)")
        shutil.rmtree(self.cache)
        Hub.trouble = [Hub.hang_up, Hub.hang_up]
        self.expect_name(f"hf:{REPO[1:]}", "four", "trying again")

    def test_lasting_trouble(self):
        Hub.trouble = [status(503)] * 20
        self.expect_refusal(TINY, "HTTP 503", "(6 of 6)")
        self.assertEqual(len(Hub.requests), 6)
        for code in (400, 401, 403, 404, 501):
            Hub.trouble, Hub.requests = [status(code)], []
            self.expect_refusal(TINY, f"HTTP {code}")
            self.assertEqual(len(Hub.requests), 1, "some answers are final")

    def test_what_the_server_says(self):
        Hub.trouble = [lambda h: h.answer(403, body=b"<Error><Message>Request has expired</Message></Error>")]
        self.expect_refusal(f"http://localhost:{self.server.port}/x.gguf", "may have expired", "Request has expired")
        Hub.trouble = [lambda h: h.answer(403, [("X-Error-Message", "Access to it is restricted.")])]
        self.expect_refusal(TINY, "is restricted", "HF_TOKEN", REPO)

    def test_ctrl_c_ends_a_pause(self):
        Hub.trouble = [status(503, ("Retry-After", "100"))]
        process = self.start(TINY)
        line = process.stderr.readline()
        self.assertRegex(line, r"trying again in 100\.\d s")
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertLess(time.monotonic() - begin, 5)

    def test_head_is_not_needed(self):
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "eight")
        self.assertEqual({r[0] for r in Hub.requests}, {"GET"})

    def test_a_broken_connection_is_taken_up_again(self):
        for model in (TINY, f"{self.storage}/tiny.Q8_0.gguf"):
            Hub.cut_after, Hub.requests = 200_000, []
            self.expect_name(model, "eight")
            self.assertEqual(self.ranges(), [None, "bytes=200000-"])

    def test_a_server_without_ranges(self):
        Hub.cut_after, Hub.ranges = 200_000, False
        self.expect_name(TINY, "eight")

    def test_a_server_without_versions(self):
        Hub.cut_after, Hub.etags = 200_000, False
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "eight")
        self.assertEqual(self.ranges(), [None, None], "nobody knows whether it is still the same file")

    def test_a_server_with_dates(self):
        Hub.cut_after, Hub.dates = 200_000, True
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "eight")
        self.assertEqual(self.ranges(), [None, "bytes=200000-"])

    def test_a_page_does_not_cost_a_part(self):
        Hub.cut_after, Hub.trouble = 200_000, [None, page]
        self.expect_refusal(f"{self.storage}/tiny.Q8_0.gguf", "an HTML page")
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "eight")
        self.assertEqual(self.ranges()[-1], "bytes=200000-")

    def test_a_server_that_always_breaks_off(self):
        cut = lambda h: (h.answer(200, body=gguf("x", 1000), length=10_000), setattr(h, "close_connection", True))
        Hub.trouble = [cut] * 50
        self.expect_refusal(f"{self.storage}/tiny.Q8_0.gguf", "run the command again")
        self.assertLess(len(Hub.requests), 20)

    def test_wrong_ranges(self):
        """A server that answers with other bytes than those asked for."""
        data = Hub.files["tiny.Q8_0.gguf"]
        wrong = lambda h: h.answer(206, [("Content-Range", f"bytes 0-{len(data) - 1}/{len(data)}")], data)
        Hub.cut_after, Hub.trouble = 200_000, [None, wrong]
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "eight")

    def test_a_file_that_changes(self):
        def change(handler):
            Hub.files["tiny.Q8_0.gguf"] = gguf("new", 400_000)
            Hub.trouble = []
            handler.requests.pop()
            handler.serve()
        for model in (TINY, f"{self.storage}/tiny.Q8_0.gguf"):
            shutil.rmtree(self.cache, ignore_errors=True)
            Hub.files["tiny.Q8_0.gguf"] = gguf("eight")
            Hub.cut_after = 450_000
            Hub.trouble = [None] * (2 if model == TINY else 1) + [change]
            self.expect_name(model, "new")

    def test_a_part_that_is_whole(self):
        """The program ended after the last byte and before the file had its name."""
        for model in (TINY, f"{self.storage}/tiny.Q8_0.gguf"):
            Hub.cut_after = 499_000
            Hub.trouble = [None] * (2 if model == TINY else 1) + [status(404)]
            self.expect_refusal(model)
            [part] = self.cache.rglob("*.part")
            part.write_bytes(Hub.files["tiny.Q8_0.gguf"])
            Hub.requests = []
            self.expect_name(model, "eight")
            self.assertEqual(self.ranges(), [f"bytes={len(Hub.files['tiny.Q8_0.gguf'])}-"])

    def test_a_stalled_transfer(self):
        def stall(handler):
            handler.answer(200, body=gguf("x", 1000), length=10_000)
            time.sleep(5)
        self.environment["KVSPLIT_STALL_TIMEOUT"] = "0.3"
        Hub.trouble = [stall]
        begin = time.monotonic()
        self.expect_name(f"{self.storage}/tiny.Q8_0.gguf", "eight", "nothing came for")
        self.assertLess(time.monotonic() - begin, 4)
        self.environment["KVSPLIT_STALL_TIMEOUT"] = "soon"
        self.expect_refusal(TINY, "KVSPLIT_STALL_TIMEOUT")

    def test_no_server(self):
        self.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
        self.expect_refusal(TINY, "127.0.0.1", "(3 of 3)")
        for endpoint in ("huggingface.co", "ftp://huggingface.co"):
            self.environment["HF_ENDPOINT"] = endpoint
            self.expect_refusal(TINY, "HF_ENDPOINT", endpoint, "https://")


class Redirections(FetchTest):
    def to(self, *locations):
        Hub.trouble = [lambda h, to=to: h.redirect(to) for to in locations]

    def test_followed(self):
        port = self.server.port
        for to in ("/storage/tiny.Q8_0.gguf", "../storage/tiny.Q8_0.gguf", f"//localhost:{port}/storage/tiny.Q8_0.gguf",
                   f"http://localhost:{port}/storage/tiny.Q8_0.gguf#x"):
            shutil.rmtree(self.cache, ignore_errors=True)
            self.to(to)
            self.expect_name(f"{self.endpoint}/a/x.gguf", "eight")

    def test_not_followed(self):
        for to in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x"):
            self.to(to)
            self.expect_refusal(f"{self.endpoint}/a/x.gguf", "redirects to", to.partition(":")[0])
        self.to("/b", "/c", "/b")
        self.expect_refusal(f"{self.endpoint}/a/x.gguf", "in a circle")
        self.to(*(f"/{n}" for n in range(20)))
        self.expect_refusal(f"{self.endpoint}/a/x.gguf", "more than 10 redirections")
        self.assertEqual(self.kept() + self.left_over(), [])


class Secrets(FetchTest):
    def test_tokens(self):
        Hub.token = "secret"
        self.expect_refusal(TINY, "401", "set HF_TOKEN", REPO)
        self.environment["HF_TOKEN"] = "wrong"
        self.expect_refusal(TINY, "401", "HF_TOKEN gives no access")
        self.environment["HF_TOKEN"] = "secret\n"
        self.expect_name(TINY, "eight")
        self.assertEqual({r[3] for r in Hub.requests if "/storage/" in r[1]}, {None}, "it stays with the hub")

    def test_tokens_stay_with_the_hub(self):
        self.environment["HF_TOKEN"] = "secret"
        self.expect_name(f"http://localhost:{self.server.port}/storage/tiny.Q8_0.gguf", "eight")
        self.assertEqual({r[3] for r in Hub.requests}, {None})

    def test_passwords(self):
        host = self.endpoint.partition("://")[2]
        self.expect_name(f"http://user:s%40cret@{host}{REPO}/resolve/main/tiny.Q8_0.gguf", "eight")
        sent = {("/storage/" in r[1], r[3]) for r in Hub.requests}
        self.assertEqual(sent, {(False, "Basic dXNlcjpzQGNyZXQ="), (True, None)}, "another host does not get it")

    def test_nothing_is_shown_or_kept(self):
        host = self.endpoint.partition("://")[2]
        query = "?X-Amz-Signature=secret1&sig=secret2&id=7&access_token=secret3"
        address = f"http://user:secret0@{host}/storage/tiny.Q8_0.gguf{query}"
        for trouble in ([], [status(403)], [status(503)] * 9, [page], [lambda h: h.redirect(f"ftp://u:secret4@h/{query}")],
                        [lambda h: h.answer(200, body=h.path.encode())], [Hub.hang_up] * 9,
                        [lambda h: h.redirect(f"http://u:secret5@{host}/{query}")] * 20):
            shutil.rmtree(self.cache, ignore_errors=True)
            Hub.trouble = trouble
            done = self.info(address)
            self.assertNotIn("secret", done.stderr + done.stdout)
            names = [str(p) for p in self.cache.rglob("*")]
            self.assertNotIn("secret", str(names))
        self.assertIn("id=7", done.stderr)
        done = self.info(f"http://user:secret@{host}:port/x.gguf")
        self.assertNotIn("secret", done.stderr)


class Folder(FetchTest):
    def test_it_cannot_be_written(self):
        self.environment["KVSPLIT_CACHE"] = "/dev/null/x"
        self.expect_refusal(TINY, "/dev/null/x", "set KVSPLIT_CACHE")

    def test_no_room(self):
        data = Hub.files["tiny.Q8_0.gguf"]
        Hub.trouble = [lambda h: h.answer(200, [("X-Linked-ETag", '"x"'), ("X-Linked-Size", str(1 << 60))], data)]
        self.expect_refusal(TINY, f"{1 << 60} bytes", str(self.cache), "KVSPLIT_CACHE")
        self.assertEqual(self.kept() + self.left_over(), [])

    def test_a_disk_that_takes_no_more(self):
        self.largest_file = 200_000
        self.expect_refusal(TINY, str(self.cache), "cannot write", "KVSPLIT_CACHE")
        self.assertEqual([p.stat().st_size for p in self.cache.rglob("*.part")], [200_000])
        self.largest_file = 0
        self.expect_name(TINY, "eight")
        self.assertEqual(self.ranges()[-1], "bytes=200000-")

    def test_parts_of_other_versions_go(self):
        folder = self.cache / "hf" / REPO[1:]
        folder.mkdir(parents=True)
        for name in ("tiny.Q8_0.gguf.0123456789abcdef.part", "tiny.Q8_0.gguf.01234567.part", "other.gguf.0123.part",
                     "old.gguf.0123456789abcdef.part"):
            (folder / name).write_bytes(gguf("part"))
        os.utime(folder / "old.gguf.0123456789abcdef.part", (0, 0))
        self.expect_name(TINY, "eight", "untouched for two weeks: 1 files")
        self.assertEqual(self.left_over(), ["other.gguf.0123.part"])

    def test_two_programs_load_one_file(self):
        first, second = self.start_and_hold(TINY), self.start(TINY)
        self.assertIn("another program is loading this file; waiting", second.stderr.readline())
        Hub.hold.set()
        for process in (first, second):
            self.assertEqual(self.name_in(self.end(process)), "eight")
        self.assertEqual(self.ranges(), [None], "it comes once")
        self.assertEqual(self.left_over(), [])

    def test_a_program_that_waits_takes_over(self):
        first, second = self.start_and_hold(TINY), self.start(TINY)
        self.assertIn("another program", second.stderr.readline())
        first.kill()
        first.communicate(timeout=30)
        Hub.hold.set()
        self.assertEqual(self.name_in(self.end(second)), "eight")
        self.assertEqual(len(self.ranges()), 2)
        self.assertTrue(self.ranges()[1], "it goes on where the other was killed")

    @unittest.skipIf(shutil.which("gcc") is None, "no compiler for the library that stands before flock")
    def test_no_locks(self):
        """As on Lustre without them: programs do not wait, and get their own unfinished files."""
        library = self.cache.parent / "noflock.so"
        code = "#include <errno.h>\nint flock(int f, int o) { (void)f; (void)o; errno = ENOSYS; return -1; }\n"
        subprocess.run(["gcc", "-shared", "-fPIC", "-xc", "-", "-o", library], input=code.encode(), check=True)
        before = self.environment.get("LD_PRELOAD", "")
        self.environment["LD_PRELOAD"] = f"{before} {library}".strip()
        # A build with the address sanitizer wants its own library to be the first.
        self.environment["ASAN_OPTIONS"] = self.environment.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        Hub.cut_after = 200_000
        Hub.trouble = [None] * 2 + [status(404)]
        self.expect_refusal(TINY)
        self.assertEqual(len(self.left_over()), 1)
        self.assertRegex(self.left_over()[0], r"gguf\.[0-9a-f]{16}\.part$")
        self.expect_name(TINY, "eight")
        self.assertEqual(self.ranges()[-1], "bytes=200000-", "the kept part is gone on with")
        self.assertEqual(self.left_over(), [])
        shutil.rmtree(self.cache)
        programs = [self.start_and_hold(TINY), self.start(TINY), self.start(TINY)]
        self.wait_for(lambda: len(list(self.cache.rglob("*.part"))) == 3)
        Hub.hold.set()
        for process in programs:
            self.assertEqual(self.name_in(self.end(process)), "eight")
        self.assertEqual(self.left_over(), [])


class Networks(FetchTest):
    @unittest.skipUnless(socket.has_ipv6, "no IPv6")
    def test_ipv6(self):
        try:
            server = Server("::1")
        except OSError:
            self.skipTest("no IPv6")
        self.addCleanup(server.close)
        self.expect_name(f"{server.address}/storage/tiny.Q8_0.gguf", "eight")

    @unittest.skipIf(shutil.which("openssl") is None, "no openssl for a certificate")
    def test_certificates(self):
        file = self.cache.parent / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", file, "-out", f"{file}.2", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
        with file.open("ab") as out:
            out.write(pathlib.Path(f"{file}.2").read_bytes())
        server = Server(certificate=file)
        self.addCleanup(server.close)
        model = f"{server.address}/storage/tiny.Q8_0.gguf"
        self.environment.pop("SSL_CERT_FILE", None)
        done = self.expect_refusal(model, "certificate", "SSL_CERT_FILE")
        self.assertNotIn("trying again", done.stderr)
        self.environment["SSL_CERT_FILE"] = str(file)
        self.expect_name(model, "eight")
        Hub.trouble = [lambda h: h.redirect(f"{self.storage}/tiny.Q8_0.gguf")]
        self.expect_refusal(f"{model}?again", "redirects to http:", "not followed from https")

    def test_a_proxy(self):
        """Requests go by way of the proxy, and its password is not shown."""
        self.environment.pop("no_proxy")
        self.environment["http_proxy"] = f"http://user:secret@127.0.0.1:{self.server.port}"
        self.expect_name("http://elsewhere.example/storage/tiny.Q8_0.gguf", "eight")
        self.environment["http_proxy"] = "http://user:secret@127.0.0.1:9"
        done = self.expect_refusal("http://elsewhere.example/storage/tiny.Q4_K_M.gguf", "127.0.0.1")
        self.assertNotIn("secret", done.stderr)


if __name__ == "__main__":
    program.main(needs_model=False)
