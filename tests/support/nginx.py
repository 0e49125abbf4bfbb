"""A real nginx with deploy/nginx.conf in front of the processes of one chat: TLS, a path prefix.

    with Proxy(nginx, folder, "chat-room", doors) as proxy:      # `nginx` of tests/support/tools.py; two servers
        assert proxy.get("/ws").status == 200
        with proxy.ws("韩雪", origin=proxy.origin) as client: ...

It stands where a server of tests/support/servers.py stands: `Person` and `Page` of either chat go through it.
"""

import copy
import http.client
import ipaddress
import os
import re
import socket
import ssl
import subprocess
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from course.database.keeper import free_port
from course.demo import ANSWER_LIMIT, Answer
from course.ground import place
from tests.support.servers import Server
from tests.support.waiting import eventually

IDLE = 3.0  # seconds of silence after which this nginx closes a socket
UPSTREAMS = {"chat-room": "group_chat", "messenger": "messenger"}  # by the prefix they are found at

# What a page's files are sent as.
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

# What a distribution has in its nginx.conf, with all files in a folder of the test's own.
MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/chats.conf;
}}
"""


class Proxy:
    """A running nginx. `url` is that of the chat, prefix included; `origin` is what its pages send as their Origin."""

    source = "127.0.0.1"  # where visitors come from

    def __init__(self, nginx, folder, prefix, doors):
        """Start it; names, ports, files and time of silence in the configuration become the test's own.

        `prefix` says which of the two chats it is, `doors` are the two servers of that chat. Nobody asks for the other.
        """
        self._run(nginx, folder, prefix, lambda: _adapted(self._changes(folder, prefix, doors)))

    def _changes(self, folder, prefix, doors):
        return {
            **_servers(prefix, doors),
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "listen 80": f"listen 127.0.0.1:{self.plain_port}",
            "/etc/ssl/certs/chat.example.org.pem": f"{folder}/certificate.pem",
            "/etc/ssl/private/chat.example.org.key": f"{folder}/key.pem",
            "proxy_read_timeout 60s": f"proxy_read_timeout {IDLE:g}s",
        }

    def _run(self, nginx, folder, prefix, configuration):
        """Start nginx with what `configuration()` returns, on free ports: `port` and `plain_port`."""
        self.tls = ssl.create_default_context(cafile=make_certificate(folder))
        # In TLS 1.3 tickets follow the handshake. With OpenSSL 3.5 and later, what one thread writes while another reads
        # them can be lost, and the client of `ws` has a thread that reads. The browsers in these tests speak TLS 1.3.
        self.tls.maximum_version = ssl.TLSVersion.TLSv1_2
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
        for _ in range(5):  # somebody may take a free port between the question and the start
            self.port, self.plain_port = free_port(), free_port()
            (folder / "chats.conf").write_text(configuration())
            self.process = subprocess.Popen(
                [nginx.path, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"],
                env={**os.environ, **nginx.environment},
            )
            self.origin = f"https://127.0.0.1:{self.port}"
            self.url = f"{self.origin}/{prefix}".rstrip("/")
            if eventually(self._is_settled) and self.process.poll() is None:
                return
        raise AssertionError("nginx does not start")

    def seen_from(self, address):
        """Return the same proxy for visitors from another address of this machine, such as 127.0.0.2."""
        other = copy.copy(self)
        other.source = address
        return other

    def get(self, path, method="GET", body=None, **headers):
        """Send one request below the prefix, as `Server.get`."""
        with closing(self.connection()) as connection:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            path = urlsplit(self.url).path + quote(path, safe="/?&=%")
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())

    def connection(self):
        """Return a connection for several requests; their paths begin with a slash and the prefix."""
        return http.client.HTTPSConnection(
            "127.0.0.1",
            self.port,
            context=self.tls,
            timeout=ANSWER_LIMIT,
            source_address=(self.source, 0),
        )

    def ws(self, path, **options):
        """Open a WebSocket below the prefix, as `Server.ws`."""
        options = {"ssl": self.tls, "source_address": (self.source, 0), **options}
        return Server.ws(self, path, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()

    def _is_settled(self):
        address = (urlsplit(self.url).hostname, urlsplit(self.url).port)
        with suppress(OSError), socket.create_connection(address, 1):
            return True
        return self.process.poll() is not None


# How proxies of others show a port: what they make of Host, and what else they send.
CODESPACE = {"Host": "localhost:{port}", "X-Forwarded-Host": "{name}", "X-Forwarded-Proto": "https"}
CODESPACE_WITHOUT = {"Host": "localhost:{port}"}  # as it does at times
HUB = {"Host": "{name}:443", "X-Forwarded-Proto": "https"}
HUB_WITHIN = {"Host": "{name}:80", "X-Forwarded-Proto": "http"}  # TLS ended in front of it

# What the files for a dev container and for Binder set there.
CODESPACES = {
    "COURSE_PROXY": "https://$CODESPACE_NAME-{port}.app.github.dev",
    "CODESPACE_NAME": "fuzzy-space",
}
BINDER = {"COURSE_PROXY": "*"}
THERE = {
    "codespace": (CODESPACES, CODESPACE),
    "codespace without X-Forwarded-Host": (CODESPACES, CODESPACE_WITHOUT),
    "hub": (BINDER, HUB),
    "hub behind TLS": (BINDER, HUB_WITHIN),
}

TUNNEL = """
map $http_upgrade $tunnel_connection {{ default upgrade; "" ""; }}
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate     {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    absolute_redirect off;
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_set_header Upgrade    $http_upgrade;
    proxy_set_header Connection $tunnel_connection;
    {headers}
    location /{prefix} {{ proxy_pass {url}/; }}
}}
"""


class Tunnel(Proxy):
    """Somebody else's proxy, which shows a server of ours under another name; `name` is that one."""

    def __init__(self, nginx, folder, door, kind, name, prefix=""):
        """Start it in front of a server; `kind` is one of those above."""

        def configuration():
            fields = {
                header: value.format(port=urlsplit(door.url).port, name=name)
                for header, value in kind.items()
            }
            headers = "\n    ".join(
                f"proxy_set_header {one} {value};" for one, value in fields.items()
            )
            return TUNNEL.format(
                port=self.port, folder=folder, headers=headers, prefix=prefix, url=door.url
            )

        self._run(nginx, folder, prefix, configuration)
        self.origin = f"https://{name}"


def needed(proxy, page):
    """Check that all files that a page needs come through the proxy; return the endings of their names."""
    assert (page.status, page.headers.get_content_type()) == (200, "text/html")
    names = re.findall(r'(?:src|href)="([^"#]+\.\w+)"', page.body)
    for name in names:
        file = proxy.get(f"/{name}")
        kind = KINDS[Path(name).suffix]
        assert (file.status, file.headers.get_content_type()) == (200, kind), name
        assert file.body
    return {Path(name).suffix for name in names}


def _servers(prefix, doors):
    """Return the lines of the chat's upstream, and by which they are replaced."""
    text = (place.ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    block = re.search(rf"upstream {UPSTREAMS[prefix]} \{{(.*?)\}}", text, re.S)[1]
    lines = re.findall(r"server .*?;", block)
    return {
        line: f"server {urlsplit(door.url).netloc};"
        for line, door in zip(lines, doors, strict=True)
    }


def _adapted(changes):
    text = (place.ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def make_certificate(folder):
    """Write a key, and a certificate for 127.0.0.1 that it has signed itself; returns the latter's path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(secret)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "certificate.pem"
