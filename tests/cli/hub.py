"""A server of our own that stands for a model hub, and misbehaves on request. No network."""
import hashlib
import http.server
import json
import re
import socket
import ssl
import struct
import threading
import urllib.parse

REPO = "/owner/tiny-GGUF"


def gguf(name, size=500_000):
    """A file with a name inside and nothing else that a model has."""
    text = name.encode()
    key = b"general.name"
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    head += struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(text)) + text
    return head + bytes(size)


class Hub(http.server.BaseHTTPRequestHandler):
    """Files of one repository after a redirection, as the hub has them. The class holds what it should do."""
    protocol_version = "HTTP/1.1"
    files, requests = {}, []  # requests: (method, path with query, Range, Authorization)
    ranges = True    # whether the storage continues in the middle
    etags = True     # whether the storage names versions
    dates = False    # versions have dates instead, which are not repeated where they were asked for
    cut_after = 0    # bytes after which the storage hangs up, once; 0: never
    hold = None      # an event that the storage waits for after the first bytes
    wrong_hash = False
    token = ""       # wanted of everybody
    trouble = []     # what answers the next requests: functions of the handler; None: as usual

    @classmethod
    def reset(cls, files):
        cls.files, cls.requests, cls.trouble = files, [], []
        cls.ranges, cls.etags, cls.dates, cls.cut_after, cls.hold = True, True, False, 0, None
        cls.wrong_hash, cls.token = False, ""

    def log_message(self, *arguments):
        pass

    def answer(self, status, headers=(), body=b"", length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def redirect(self, location, status=302, headers=()):
        self.answer(status, [("Location", location), *headers])

    def serve(self):
        path = urllib.parse.urlsplit(self.path).path
        Hub.requests.append((self.command, self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        storage = path.startswith("/storage/")
        if Hub.token and not storage and self.headers.get("Authorization") != f"Bearer {Hub.token}":
            return self.answer(401)
        if Hub.trouble and (answer := Hub.trouble.pop(0)):
            return answer(self)
        if path.startswith("/api/models" + REPO):
            names = ["README.md", *Hub.files]
            return self.answer(200, body=json.dumps({"siblings": [{"rfilename": n} for n in names]}).encode())
        name = re.sub("^/storage/|.*/resolve/[^/]*/|.*/", "", path, count=1)
        name = urllib.parse.unquote(name)
        if name not in Hub.files:
            return self.answer(404)
        data = Hub.files[name]
        if storage:
            return self.store(data)
        digest = hashlib.sha256(b"other" if Hub.wrong_hash else data).hexdigest()
        # Another name of this host: the token must not follow.
        port = self.server.server_address[1]
        return self.redirect(f"http://localhost:{port}/storage/{urllib.parse.quote(name)}", headers=[
            ("X-Linked-ETag", f'"{digest}"'), ("X-Linked-Size", str(len(data)))])

    def store(self, data):
        etag = f'"{hashlib.md5(data).hexdigest()}"' if not Hub.dates else "Sun, 06 Nov 1994 08:49:37 GMT"
        begin = 0
        if Hub.ranges and self.headers.get("Range") and self.headers.get("If-Range", etag) == etag:
            begin = int(self.headers["Range"].split("=")[1].split("-")[0])
        if begin >= len(data):
            return self.answer(416, [("Content-Range", f"bytes */{len(data)}"), ("ETag", etag)])
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        if Hub.etags and not (Hub.dates and begin):
            self.send_header("Last-Modified" if Hub.dates else "ETag", etag)
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        if self.command != "GET":
            return None
        end = begin + Hub.cut_after if Hub.cut_after else len(data)
        for at in range(begin, min(end, len(data)), 50_000):
            self.wfile.write(data[at:min(at + 50_000, end)])
            if Hub.hold:
                self.wfile.flush()
                Hub.hold.wait(30)
        if Hub.cut_after:
            Hub.cut_after = 0
            self.close_connection = True
        return None

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, ValueError):
            pass

    do_GET = do_HEAD = serve


class Server:
    """Serves the hub on a port of its own until it is closed."""

    def __init__(self, host="127.0.0.1", certificate=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        kind = type("HubServer", (http.server.ThreadingHTTPServer,),
                    {"address_family": family, "handle_error": lambda *arguments: None})
        self.server = kind((host, 0), Hub)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme, name = "https" if certificate else "http", f"[{host}]" if ":" in host else host
        self.port = self.server.server_address[1]
        self.address = f"{scheme}://{name}:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
