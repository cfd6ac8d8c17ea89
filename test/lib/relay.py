"""A path between two ends of tcp on which each connection is slow by itself: so many bytes a second in each direction.

As networks that limit flows, not hosts: clouds, links that are bundles of slower ones, windows too small for a long way.
"""
import contextlib
import socket
import threading
import time

PIECE = 64 << 10


class Relay:
    """Listens on another address of loopback than the server, so that its clients do not take it for their own host."""

    def __init__(self, target, bytes_a_second, host="127.0.0.2"):
        to_host, to_port = target.removeprefix("tcp://").rsplit(":", 1)
        self.target = (to_host.strip("[]"), int(to_port))
        self.rate = bytes_a_second
        self.connections = 0  # so far
        self.carried = []     # bytes of each, both directions
        self.sockets = []
        self.listener = socket.create_server((host, 0), backlog=64)
        self.address = f"tcp://{host}:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            number = self.connections
            self.connections += 1
            self.carried.append(0)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
            self.sockets += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(number, source, sink), daemon=True).start()

    def pump(self, number, source, sink):
        due = time.monotonic()
        piece = bytearray(PIECE)
        try:
            while count := source.recv_into(piece):
                due = max(due, time.monotonic() - 0.01) + count / self.rate
                if (wait := due - time.monotonic()) > 0:
                    time.sleep(wait)
                sink.sendall(memoryview(piece)[:count])
                self.carried[number] += count
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self, number):
        """Ends one connection, as a fault of the network would."""
        for end in self.sockets[2 * number:2 * number + 2]:
            with contextlib.suppress(OSError):  # whoever sees the first one end may have reset the second by now
                end.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.listener.close()
        for end in self.sockets:
            end.close()
