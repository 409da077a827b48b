"""A reverse proxy that serves another server under a path, as nginx does: it removes the path."""

from __future__ import annotations

import socket
import socketserver
import threading
from urllib.parse import urlsplit


class PrefixProxy:
    """A proxy on a free port, at `url`; a request for another path than `prefix` is answered with 404.

    Each connection carries one request, whose headers are sent on as they came. `target`, the address of the
    other server, may be changed.
    """

    def __init__(self, target: str, prefix: str) -> None:
        self.target, proxy = target, self
        start = f" {prefix}/".encode()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line, headers, length = self.rfile.readline(), [], 0
                while (header := self.rfile.readline()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                    if name.lower() != b"connection":
                        headers.append(header)
                if start not in line:
                    self.wfile.write(
                        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    )
                    return
                where = urlsplit(proxy.target)
                with socket.create_connection((where.hostname, where.port)) as upstream:
                    headers.append(b"Connection: close\r\n\r\n")
                    upstream.sendall(line.replace(start, b" /", 1) + b"".join(headers))
                    upstream.sendall(self.rfile.read(length))
                    while part := upstream.recv(65536):
                        self.wfile.write(part)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request, client_address) -> None:
                """The browser may leave at any time."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{prefix}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
