"""No server, a wrong token, an unknown name: the program gets no platform, at once, and silence unless asked."""
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum


def platforms(env):
    return plenum.run([plenum.program("platforms")], env, check=False)


def no_platform(env, word):
    """No platform, nothing on stderr; with PLENUM_LOG one line that names what was wrong."""
    start = time.monotonic()
    quiet = platforms(env)
    assert time.monotonic() - start < 60, "it must not hang"
    assert b"no platform" in quiet.stdout, quiet
    assert quiet.stderr == b"", quiet.stderr
    loud = platforms({**env, "PLENUM_LOG": "warn"})
    lines = [line for line in loud.stderr.decode().splitlines() if line.startswith("plenum")]
    assert lines and any(word in line for line in lines), (word, loud.stderr)


def client_env(server_list, **more):
    return {**plenum.native_env(), "OCL_ICD_VENDORS": plenum.ICD_DIR, "PLENUM": server_list, **more}


def test_server_absent():
    no_platform(client_env("unix:/nonexistent/plenum.sock"), "nonexistent")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    no_platform(client_env(f"tcp://127.0.0.1:{port}"), str(port))


def test_unknown_names_and_bad_addresses():
    no_platform(client_env("tcp://no-such-host.invalid:7300"), "no-such-host.invalid")
    for address in ("carrier-pigeon:/x", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "unix:", "tcp://[::1:1", "hook:what=1;unix:/x"):
        no_platform(client_env(address), address.split(":")[0])


def test_nothing_set_means_no_platform():
    env = plenum.native_env()
    env["OCL_ICD_VENDORS"] = plenum.ICD_DIR
    env["XDG_RUNTIME_DIR"] = "/nonexistent"
    assert b"no platform" in platforms(env).stdout


def test_wrong_token():
    with plenum.Server() as server:
        no_platform({**server.env("tcp"), "PLENUM_TOKEN": "wrong"}, "token")
        env = server.env("tcp")
        del env["PLENUM_TOKEN"]
        no_platform(env, "token")
        assert b"no platform" not in platforms(server.env("tcp")).stdout  # the server is still there


def test_peer_that_is_no_plenum():
    """Something else listens there: it says nothing, or nonsense."""
    for answer in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 4096):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            env = client_env(f"tcp://127.0.0.1:{listener.getsockname()[1]}", PLENUM_LOG="warn")
            program = subprocess.Popen([plenum.program("platforms")], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            listener.settimeout(30)
            peer, _ = listener.accept()
            with peer:
                if answer:
                    peer.sendall(answer)
                else:
                    peer.recv(256)
            out, err = program.communicate(timeout=60)
            assert b"no platform" in out and err, (out, err)


def test_one_of_two_servers_absent():
    with plenum.Server() as server:
        env = server.env("unix:/nonexistent/plenum.sock," + server.unix)
        assert b"no platform" not in platforms(env).stdout


def test_tls_is_refused_not_ignored():
    result = subprocess.run([plenum.TOOL, "serve", "--tls"], capture_output=True, env=plenum.native_env(), timeout=60)
    assert result.returncode != 0 and b"tls" in result.stderr.lower(), result


def test_tcp_without_a_token_is_refused():
    result = subprocess.run([plenum.TOOL, "serve", "--listen", "tcp://127.0.0.1:0"], capture_output=True,
                            env=plenum.native_env(), timeout=60)
    assert result.returncode != 0 and b"token" in result.stderr, result


if __name__ == "__main__":
    plenum.main([test_server_absent, test_unknown_names_and_bad_addresses, test_nothing_set_means_no_platform,
                 test_wrong_token, test_peer_that_is_no_plenum, test_one_of_two_servers_absent,
                 test_tls_is_refused_not_ignored, test_tcp_without_a_token_is_refused])
