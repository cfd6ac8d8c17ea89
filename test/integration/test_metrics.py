"""`plenum metrics`: the text is what OpenMetrics says, whatever programs are called, and is served over HTTP."""
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum
from ops import Client, tool

HOSTILE = 'x"} 1\n# EOF\n\\n{a="b'
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?\d+(?:\.\d+)?)$')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\["\\n])*)"')
PARSER = "import sys; import prometheus_client.parser as older, prometheus_client.openmetrics.parser as newer; " \
         "text = sys.stdin.read(); " \
         "print(*(sum(len(f.samples) for f in p.text_string_to_metric_families(text)) for p in (newer, older)))"
OLDER_TYPES = ("counter", "gauge")  # that both formats know


def their_count(text):
    """How many samples Prometheus' own parser finds; None where it is not installed."""
    for python in dict.fromkeys((sys.executable, "/usr/bin/python3")):
        if subprocess.run([python, "-c", "import prometheus_client.openmetrics.parser"], capture_output=True).returncode == 0:
            result = subprocess.run([python, "-c", PARSER], input=text, capture_output=True, text=True)
            assert result.returncode == 0, result.stderr
            newer, older = map(int, result.stdout.split())
            assert newer == older, result.stdout
            return newer
    return None


def parse(text):
    """{(name, labels): value}; what OpenMetrics forbids is an error."""
    samples, families, family = {}, set(), None
    lines = text.split("\n")
    assert lines[-2:] == ["# EOF", ""] and lines.index("# EOF") == len(lines) - 2, lines[-3:]
    for line in lines[:-2]:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert kind in OLDER_TYPES and family not in families, line
            families.add(family)
        elif line.startswith("# UNIT "):
            _, _, name, unit = line.split(" ")
            assert name == family and family.endswith("_" + unit), line
        elif line.startswith("# HELP "):
            assert line.split(" ")[2] == family, line
        else:
            sample = SAMPLE.match(line)
            assert sample, line
            name, labels, value = sample.group(1), sample.group(2) or "", float(sample.group(3))
            assert name == family + {"counter": "_total", "gauge": ""}[kind], line
            labels = tuple((key, re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), said))
                           for key, said in LABEL.findall(labels))
            assert len(dict(labels)) == len(labels) and (name, labels) not in samples, line
            samples[name, labels] = value
    theirs = their_count(text)
    assert theirs in (None, len(samples)), (theirs, len(samples))
    if theirs is None:
        print("(python3-prometheus-client is not there: its parser was not asked)")
    return samples


def of_session(samples, name, **wanted):
    return [value for (found, labels), value in samples.items()
            if found == name and all(dict(labels).get(key) == said for key, said in wanted.items())]


def one(samples, name, **wanted):
    values = of_session(samples, name, **wanted)
    assert len(values) == 1, (name, wanted, values)
    return values[0]


def test_text_tells_what_sessions_do():
    with plenum.Server("--memory-limit", "64M") as server, Client(server, "shm", PLENUM_TEST_TAKE="1048576") as shm, \
            Client(server, "tcp") as tcp:
        wrong = plenum.run([plenum.program("platforms")], server.env("tcp", PLENUM_TOKEN="wrong"), check=False)
        assert b"no platform" in wrong.stdout
        assert shm.call() == "0" and tcp.call() == "called"
        samples = parse(tool("metrics", "--server", server.unix).stdout)
        assert one(samples, "plenum_sessions") == 2 and one(samples, "plenum_sessions_started_total") == 2
        assert one(samples, "plenum_refused_greetings_total", reason="token") == 1
        assert one(samples, "plenum_refused_greetings_total", reason="draining") == 0
        assert one(samples, "plenum_worker_crashes_total") == 0 and one(samples, "plenum_draining") == 0
        local = {"program": "idle", "api": "opencl", "address": "unix", "user": str(os.getuid())}
        assert one(samples, "plenum_session_device_memory_bytes", **local) >= 1 << 20
        assert one(samples, "plenum_session_device_memory_limit_bytes", **local) == 64 << 20
        assert one(samples, "plenum_session_asks_total", **local) > 0
        assert one(samples, "plenum_session_received_bytes_total", user="", api="opencl") > 0
        remote = [dict(labels)["address"] for (name, labels) in samples if name == "plenum_session_posts_total"]
        assert len(remote) == 2 and any(address.startswith("127.0.0.1:") for address in remote), remote


def test_a_program_may_be_called_anything():
    with plenum.Server() as server:
        path = os.path.join(server.folder, HOSTILE)
        shutil.copy(plenum.program("idle"), path)
        with Client(server, "shm", path=path):
            samples = parse(tool("metrics", "--server", server.unix).stdout)
            names = {dict(labels)["program"] for (name, labels) in samples if name.startswith("plenum_session_")}
            assert len(names) == 1 and '"} 1' in names.pop(), names


class Exporter:
    def __init__(self, address, *options):
        self.process = subprocess.Popen([plenum.TOOL, "metrics", "--listen", "http://127.0.0.1:0", "--server", address, *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=plenum.native_env())
        self.url = self.process.stdout.readline().strip()
        if "built without" in (self.process.stderr.read() if not self.url else ""):
            plenum.skip("built without libmicrohttpd")
        self.port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/metrics", self.url).group(1))

    def ask(self, method="GET", path="/metrics", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=plenum.LIMIT_S)
        with contextlib.closing(connection):
            connection.request(method, path, body=body)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(plenum.LIMIT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def test_http_answers_what_it_has_and_says_what_it_has_not():
    with plenum.Server() as server, Exporter(server.unix) as exporter:
        status, headers, text = exporter.ask()
        assert status == 200 and headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0"), headers
        assert one(parse(text), "plenum_sessions") == 0
        status, headers, text = exporter.ask("HEAD")
        assert status == 200 and not text and int(headers["Content-Length"]) > 0
        assert exporter.ask(path="/metrics?name=x")[0] == 200
        for path in ("/", "/metrics/", "/../etc/passwd", "/" + "x" * 2000):
            assert exporter.ask(path=path)[0] == 404, path
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, text = exporter.ask(method, body="x" * 100000 if method in ("POST", "PUT") else None)
            assert status == 405 and headers["Allow"] == "GET, HEAD", (method, status)
        with socket.create_connection(("127.0.0.1", exporter.port), plenum.LIMIT_S) as raw:
            raw.sendall(b"\x00\xff garbage\r\n\r\n")
            raw.shutdown(socket.SHUT_WR)
            raw.recv(1000)
        assert exporter.ask()[0] == 200
        assert exporter.end() == 0


def test_http_finds_a_server_that_comes_later():
    with plenum.Server() as server, Exporter(server.unix) as exporter:
        assert exporter.ask()[0] == 200
        server.stop()
        status, headers, text = exporter.ask()
        assert status == 503 and "no server at" in text and headers["Content-Type"].startswith("text/plain"), text
        with plenum.Server(at=server):
            assert exporter.ask()[0] == 200
        assert exporter.ask()[0] == 503 and exporter.end() == 0


def test_what_can_not_be_served_is_said():
    result = tool("metrics", "--server", "unix:/nowhere/s", check=False)
    assert result.returncode == 1 and "no server at" in result.stderr and not result.stdout, result
    for url in ("https://127.0.0.1:0", "http://example.org:80", "http://127.0.0.1", "http://127.0.0.1:99999", "http://[::1:1",
                "http://127.0.0.1:1/other", "127.0.0.1:1"):
        result = tool("metrics", "--listen", url, check=False)
        assert result.returncode == 2 and "http://HOST:PORT" in result.stderr, (url, result)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        result = tool("metrics", "--listen", url, check=False)
        assert result.returncode == 1 and "can not listen on " + url in result.stderr, result


if __name__ == "__main__":
    if not plenum.have_device():
        plenum.skip("no native OpenCL device")
    plenum.main([test_text_tells_what_sessions_do, test_a_program_may_be_called_anything,
                 test_http_answers_what_it_has_and_says_what_it_has_not, test_http_finds_a_server_that_comes_later,
                 test_what_can_not_be_served_is_said])
