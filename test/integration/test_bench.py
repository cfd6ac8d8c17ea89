"""`plenum bench` for CUDA with a stand-in for its worker, and, where it is built, natively on the reference GPU."""
import json
import os
import subprocess
import sys
import tempfile
import textwrap

TOOL = os.environ["PLENUM_TOOL"]

WORKER = """#!{python}
import sys
say = lambda text: (print(text), sys.stdout.flush())
said = {}
say("@hello stand-in 1")
for line in sys.stdin:
    words = line.split()
    if words[0] == "info":
        say("@info platform CUDA\\n@info device stand-in\\n@info driver 1.0\\n@end")
    elif words[0] == "run":
        if words[1] == "alloc_free":
            say("@error cuMemAlloc: error 2 (stand-in)")
        elif words[1] == "launch_rate":
            sys.exit(1)
        elif words[1] == "sync_empty":
            say("@sample a long time\\n@end")
        elif words[1] == "launch_post" and said.get("launch_post"):
            sys.stdin.read()
        else:
            said[words[1]] = int(words[2]) > 1
            say("@sample 2e-06\\n" * int(words[2]) + "@end")
    elif words[0] == "exec":
        if "crowd" in words:
            say("@part total 0.75\\n@exec 0 1.0 0\\n@end")
        elif "radixsort" in words:
            say("@info last word 7 is wrong\\n@exec 1 0.5 0\\n@end")
        elif "matmul" in words:
            say("@part kernel 1\\n@exec 0 2.0 0\\n@end")
        else:
            for part in "init 0.25", "module 0.25", "h2d 0.5", "kernel 1.0", "d2h 0.5", "cpu 1.0", "sent_mb 3":
                say("@part " + part)
            say("@exec 0 4.0 0\\n@end")
"""


# Notes when it ran, until it has had a third of a second of processor time, wherever the clock of the wall is.
SPINNER = """#!{python}
import os, sys, time
say = lambda text: (print(text), sys.stdout.flush())
say("@hello spinner 1")
for line in sys.stdin:
    words = line.split()
    if words[0] == "info":
        say("@info platform CUDA\\n@info device stand-in\\n@info driver 1.0\\n@end")
    elif words[0] == "exec":
        begin, begun, seen = time.monotonic(), time.process_time(), []
        while time.process_time() - begun < 0.3:
            if not seen or time.monotonic() - seen[-1] > 0.001:
                seen.append(time.monotonic())
        with open(os.path.join(os.path.dirname(__file__), "seen-%d" % os.getpid()), "a") as f:
            f.write(" ".join(map(str, seen)) + "\\n")
        if "binomial" in words and os.environ.get("LD_LIBRARY_PATH", "").endswith("other"):
            os._exit(1)
        say("@part kernel 1\\n@exec 0 %f 0\\n@end" % (time.monotonic() - begin))
"""


def bench(folder, *arguments):
    """Run it. Return: exit status, the records by name and mode."""
    out = os.path.join(folder, "out.json")
    done = subprocess.run([TOOL, "bench", *arguments, "--quick", "--quiet", "--json", out, "--plots", folder],
                          capture_output=True, text=True, timeout=120)
    records = {}
    if os.path.exists(out):
        with open(out, encoding="utf-8") as f:
            for line in f:
                record = json.loads(line)
                if "name" in record:
                    records[record["name"], record["mode"]] = record
        os.unlink(out)
    return done, records


def stand_in(folder, program=WORKER):
    path = os.path.join(folder, "worker")
    with open(path, "w", encoding="utf-8") as f:
        f.write(textwrap.dedent(program).replace("{python}", sys.executable))
    os.chmod(path, 0o755)
    return path


def test_micro_writes_the_record_format(folder):
    done, records = bench(folder, "micro", "--api", "cuda", "--modes", "native", "--worker", stand_in(folder), "--only",
                          "launch_sync,h2d_pinned_1048576")
    assert done.returncode == 0, done
    launch, copy = records["launch_sync", "native"], records["h2d_pinned_1048576", "native"]
    assert launch["api"] == "cuda" and launch["unit"] == "us" and abs(launch["value"] - 2) < 1e-6
    assert {"p10", "p90", "n", "ratio"} <= set(launch) and launch["better"] == "lower"
    assert copy["unit"] == "GB/s" and abs(copy["value"] - 1048576 / 2e-6 / 1e9) < 1 and copy["better"] == "higher"
    assert os.path.exists(os.path.join(folder, "cuda-micro.md"))


def test_a_worker_that_fails_lies_or_dies_fails_that_figure_only(folder):
    done, records = bench(folder, "micro", "--api", "cuda", "--modes", "native", "--worker", stand_in(folder), "--only",
                          "alloc_free,sync_empty,launch_rate,launch_sync")
    assert done.returncode == 1, done
    assert "stand-in" in records["alloc_free", "native"]["error"]
    assert "nonsense" in records["sync_empty", "native"]["error"]
    assert "died" in records["launch_rate", "native"]["error"]
    assert records["launch_sync", "native"]["value"] > 0


def test_a_run_that_is_out_of_time_says_so_and_keeps_what_it_has(folder):
    """The stand-in answers its first round of launch_post, then no more."""
    done, records = bench(folder, "micro", "--api", "cuda", "--modes", "native", "--worker", stand_in(folder), "--only",
                          "launch_post,copy4_kernel", "--limit", "4")
    assert done.returncode in (0, 1), done
    for record in records.values():
        assert record["value"] or record["error"].startswith("the run's time was up"), record
    assert ("launch_post", "native") in records and "did not answer" not in done.stdout + done.stderr, done


def test_one_run_of_a_program_gives_all_its_figures(folder):
    done, records = bench(folder, "vmcuda", "--modes", "native", "--worker", stand_in(folder), "--only",
                          ",".join(part + "_stereo" for part in ("app", "gpu", "copy", "rest", "start", "use", "sent")) +
                          ",clients_3_stereo,large_50,block_4194304")
    assert done.returncode == 0, done
    value = {name: record["value"] for (name, _), record in records.items()}
    assert value["app_stereo"] == 4 and value["gpu_stereo"] == 1 and value["copy_stereo"] == 1, value
    assert value["rest_stereo"] == 2 and value["start_stereo"] == 0.5 and value["use_stereo"] == 25, value
    assert value["sent_stereo"] == 3 and value["clients_3_stereo"] == 0.75, value
    assert value["large_50"] == 4 and value["block_4194304"] == 1, value
    with open(os.path.join(folder, "vmcuda.md"), encoding="utf-8") as f:
        page = f.read()
    for heading in ("Table 1", "Table 2 and Figure 4", *(f"Figure {i}:" for i in range(5, 11))):
        assert "## " + heading in page, heading


def test_a_program_with_a_wrong_answer_has_no_time(folder):
    done, records = bench(folder, "vmcuda", "--modes", "native", "--worker", stand_in(folder), "--only",
                          "app_radixsort,gpu_radixsort,app_matmul,copy_matmul")
    assert done.returncode == 1, done
    assert records["app_radixsort", "native"]["value"] is None
    assert "word 7 is wrong" in records["gpu_radixsort", "native"]["error"]
    assert records["app_matmul", "native"]["value"] == 2
    assert ("copy_matmul", "native") not in records  # the program said nothing of copies


def in_turns(folder, only):
    os.makedirs(os.path.join(folder, "other"), exist_ok=True)
    return bench(folder, "vmcuda", "--modes", f"native,other={folder}/other", "--worker", stand_in(folder, SPINNER),
                 "--only", only, "--rounds", "1", "--slices", "20")


def test_programs_in_turns_never_run_at_once_and_have_their_own_time(folder):
    """Two that spin at the same time on two processors would be seen to change a hundred times, not once a slice."""
    done, records = in_turns(folder, "app_stereo,gpu_stereo")
    assert done.returncode == 0, done
    runs = []
    for name in sorted(os.listdir(folder)):
        if name.startswith("seen-"):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                runs.append([[float(t) for t in line.split()] for line in f])
    assert len(runs) == 2 and all(len(run) == 2 for run in runs), runs  # each once to warm up, and its round
    a, b = (run[1] for run in runs)
    seen = sorted([(t, 0) for t in a] + [(t, 1) for t in b])
    changes = sum(one[1] != two[1] for one, two in zip(seen, seen[1:]))
    assert 4 <= changes < len(seen) / 4, (changes, len(seen))
    whole = max(a[-1], b[-1]) - min(a[0], b[0])
    values = [records["app_stereo", mode]["value"] for mode in ("native", "other")]
    assert all(0.3 <= value for value in values) and sum(values) < 1.5 * whole, (values, whole)
    assert ("gpu_stereo", "native") not in records  # a part's time would hold the other's


def test_a_program_that_dies_in_its_turn_leaves_the_others_theirs(folder):
    done, records = in_turns(folder, "app_binomial")
    assert done.returncode == 1, done
    assert records["app_binomial", "native"]["value"] >= 0.3 and "died" in records["app_binomial", "other"]["error"], records


def test_a_page_is_made_of_the_records_of_several_runs(folder):
    lines = []
    for only, mode in ("app_stereo,gpu_stereo", "native"), ("launch_sync", "native"):
        with open(os.path.join(folder, f"run-{only.split(chr(44))[0]}.json"), "w", encoding="utf-8") as f:
            f.write(json.dumps({"machine": {"cpu": "a processor", "cores": 3}, "when": "2026-01-01T00:00:00Z",
                                "modes": [{"mode": mode, "platform": "CUDA", "device": "a device", "driver": "1"}]}) + "\n")
            for name in only.split(","):
                f.write(json.dumps({"name": name, "mode": mode, "value": 7, "p10": 6, "p90": 8, "n": 3, "ratio": 1}) + "\n")
        lines.append(f.name)
    done, records = bench(folder, "vmcuda", "--from", ",".join(lines))
    assert done.returncode == 0, done
    assert set(records) == {("app_stereo", "native"), ("gpu_stereo", "native")}, records  # launch_sync is micro's
    assert records["app_stereo", "native"]["value"] == 7 and records["app_stereo", "native"]["p90"] == 8
    with open(os.path.join(folder, "vmcuda.md"), encoding="utf-8") as f:
        page = f.read()
    assert "a processor, 3 cores" in page and "a device" in page, page[:500]


def test_a_file_that_holds_no_records_is_named(folder):
    for text in "", "no json\n", "[1]\n":
        path = os.path.join(folder, "lie.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        done, _ = bench(folder, "vmcuda", "--from", path)
        assert done.returncode == 2 and "lie.json" in done.stderr, (text, done)
    done, _ = bench(folder, "vmcuda", "--from", "/no/such/file")
    assert done.returncode == 2 and "/no/such/file" in done.stderr, done


def test_what_cannot_be_is_refused_by_name(folder):
    for arguments, word in ((["micro", "--api", "metal"], "metal"), (["apps", "--api", "cuda"], "vmcuda"),
                            (["vmcuda", "--modes", "mtu12"], "mtu12"), (["vmcuda", "micro"], "micro"),
                            (["vmcuda", "--only", "app_fft"], "app_fft"), (["vmcuda", "--slices", "3"], "slices of 3"),
                            (["micro", "--api", "cuda", "--slices", "50"], "vmcuda")):
        done, _ = bench(folder, *arguments)
        assert done.returncode == 2 and word in done.stderr, (arguments, done)


def test_the_reference_gpu_is_measured_natively(folder):
    done, records = bench(folder, "vmcuda", "--modes", "native", "--only", "app_matmul,gpu_matmul", "--rounds", "1")
    assert done.returncode == 0, done
    assert 0 < records["gpu_matmul", "native"]["value"] <= records["app_matmul", "native"]["value"]


def main():
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            with tempfile.TemporaryDirectory() as folder:
                test(folder)
            print("ok", name)


if __name__ == "__main__":
    main()
