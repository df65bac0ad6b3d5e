# SPDX-License-Identifier: BSD-3-Clause
"""jupyter-conformance itself: how it starts, ends and reports, and what it makes of kernels that offer little or do not start.

Run by scripts/conformance tool; CONFORMANCE names the program, and CONFORMANCE_ONLY the cases that the least kernel is tried with.
"""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOOL = os.environ["CONFORMANCE"]
MINIMAL = [sys.executable, str(Path(__file__).with_name("minimal_kernel.py")), "{connection_file}"]
# Of all that this kernel leaves alone the tool waits for an answer first, each time for a part of its patience.
LEAST = ["--timeout", "4", "--argv", *MINIMAL]
BROKEN = ("FAIL", "ERROR")
PATIENCE = 60


def run(*arguments: str, limit: int = 3600, **options: Any) -> subprocess.CompletedProcess[str]:
    """`limit`: in seconds, after which the tool is told to end, and its kernels with it."""
    return subprocess.run(["timeout", str(limit), TOOL, *arguments], capture_output=True, text=True, check=False, **options)


def judge(folder: Path, *arguments: str, **options: Any) -> dict[str, Any]:
    file = folder / "report.json"
    done = run("--quiet", "--format", "json", "--output", str(file), *arguments, **options)
    assert file.exists(), done.stderr
    return {**json.loads(file.read_text()), "exit": done.returncode, "stderr": done.stderr}


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {outcome["id"]: outcome["verdict"] for outcome in report["outcomes"]}


def broken(report: dict[str, Any]) -> dict[str, list[str]]:
    return {outcome["id"]: outcome["findings"] for outcome in report["outcomes"] if outcome["verdict"] in BROKEN}


def shell(script: str) -> list[str]:
    """A kernel of sh."""
    return ["--argv", "sh", "-c", script, "{connection_file}"]


# ---- kernels that offer little ----


@pytest.fixture(scope="module")
def minimal(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    globs = os.environ.get("CONFORMANCE_ONLY", "*")
    return judge(tmp_path_factory.mktemp("minimal"), "--jobs", "4", "--only", globs, "--timeout", "12", "--argv", *MINIMAL)


def test_no_must_fails_on_the_least_kernel(minimal: dict[str, Any]) -> None:
    assert broken(minimal) == {}


def test_what_is_not_offered_is_one_warning(minimal: dict[str, Any]) -> None:
    verdict = verdicts(minimal)
    assert {verdict[f"offers.{what}"] for what in ("completion", "inspection", "history", "comms", "shutdown")} == {"warning"}
    for case in ("completion.status", "history.status", "comm.open", "shutdown.ends", "interrupt.reply", "stdin.request"):
        assert verdict[case] == "n/a", case


def test_samples_that_the_kernel_cannot_run_say_so(minimal: dict[str, Any]) -> None:
    display = next(outcome for outcome in minimal["outcomes"] if outcome["id"] == "output.display")
    assert display["verdict"] == "n/a"
    assert "the sample 'display'" in display["findings"][0]
    assert "Error: " in display["findings"][0]


def test_ipc_is_judged_only_when_it_is_asked_for(tmp_path: Path) -> None:
    report = judge(tmp_path, "--only", "execute.empty", "--launch", "all", *LEAST)
    starts = {case: verdict for case, verdict in verdicts(report).items() if case.startswith("start.")}
    assert starts["start.tcp"] == "pass"
    assert starts["start.ipc"] == "warning"
    assert report["exit"] == 0


# ---- kernels of somebody else's ----


@contextlib.contextmanager
def running(folder: Path, command: list[str]) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A kernel that somebody else started, and its connection file."""
    file = folder / "connection.json"
    # Below the ports that the system gives to others.
    ports = {f"{name}_port": 27210 + i for i, name in enumerate(("shell", "iopub", "stdin", "control", "hb"))}
    file.write_text(json.dumps({**ports, "transport": "tcp", "ip": "127.0.0.1", "key": "k", "signature_scheme": "hmac-sha256"}))
    whole = [str(file) if word == "{connection_file}" else word for word in command]
    with subprocess.Popen(whole, stderr=subprocess.DEVNULL) as kernel:
        try:
            yield file, kernel
        finally:
            kernel.kill()


@pytest.fixture
def existing(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    with running(tmp_path, MINIMAL) as kernel:
        yield kernel


def test_a_running_kernel_is_left_as_it_was(tmp_path: Path, existing: tuple[Path, subprocess.Popen[bytes]]) -> None:
    file, kernel = existing
    report = judge(tmp_path, "--only", "execute.*,errors.*,interrupt.*,comm.*,control.*,offers.*", "--timeout", "6", "--existing", str(file))
    assert broken(report) == {}
    verdict = verdicts(report)
    assert verdict["interrupt.loop"] == "n/a"  # nothing could end the loop
    assert verdict["execute.count.first"] == "n/a"
    assert verdict["execute.count.increments"] == "pass"
    assert kernel.poll() is None


def test_how_a_running_kernel_was_launched_is_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "connection.json"
    file.write_text("{}")
    done = run("--existing", str(file), "--launch", "ipc")
    assert done.returncode == 2
    assert "--launch" in done.stderr


def test_a_dead_endpoint_is_waited_for_without_work(tmp_path: Path) -> None:
    file = tmp_path / "dead.json"
    ports = {f"{name}_port": 1 for name in ("shell", "iopub", "stdin", "control", "hb")}
    file.write_text(json.dumps({**ports, "transport": "tcp", "ip": "127.0.0.1", "key": "k", "signature_scheme": "hmac-sha256"}))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run("--existing", str(file), "--timeout", "3")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2
    assert "A kernel that runs answers where its connection file says." in done.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5


# ---- kernels that do not start ----


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    report = judge(tmp_path, "--argv", "no-such-kernel", "{connection_file}")
    assert report["exit"] == 2
    assert not report["judged"]
    assert "no-such-kernel" in broken(report)["start.tcp"][0]
    assert "no-such-kernel" in report["stderr"]


def test_how_the_process_ended_is_told_with_its_stderr_once() -> None:
    done = run("--quiet", *shell("echo no $((40 + 2)) license >&2; exit 7"))
    assert done.returncode == 2
    assert "ended with status 7" in done.stdout
    assert (done.stdout + done.stderr).count("no 42 license") == 1


def test_the_signal_is_named() -> None:
    done = run("--quiet", *shell("kill -SEGV $$"))
    assert "SIGSEGV" in done.stdout


@pytest.mark.parametrize("form", ["text", "json", "junit", "markdown", "html"])
def test_there_is_a_report_all_the_same(tmp_path: Path, form: str) -> None:
    file = tmp_path / "report"
    assert run("--quiet", "--format", form, "--output", str(file), *shell("exit 7")).returncode == 2
    assert "status 7" in file.read_text()


# ---- kernels that are wrong in a way that the tool may stumble over ----


def altered(folder: Path, old: str, new: str) -> list[str]:
    """The least kernel with other text in its program."""
    source = Path(MINIMAL[1]).read_text()
    assert source.count(old) == 1, old
    file = folder / "altered_kernel.py"
    file.write_text(source.replace(old, new))
    return ["--argv", sys.executable, str(file), "{connection_file}"]


HANDLER = """handler = {"execute_request": self.execute, "kernel_info_request": lambda *_: INFO}.get(header["msg_type"])"""
REMEMBERS = """import fnmatch
        said = self.__dict__.setdefault("said", [])
        if header["msg_type"] == "execute_request":
            said.append(content["code"])
        history = lambda asked, _: {"status": "ok", "history": [
            [1, at, code] for at, code in enumerate(said) if fnmatch.fnmatchcase(code, asked.get("pattern", "*"))]}
        handler = {"execute_request": self.execute, "kernel_info_request": lambda *_: INFO, "history_request": history}.get(header["msg_type"])"""


def test_what_a_kernel_remembers_of_other_rounds_and_runs_is_no_matter(tmp_path: Path) -> None:
    command = altered(tmp_path, HANDLER, REMEMBERS)[1:]
    with running(tmp_path, command) as (file, _):
        for _ in range(2):
            report = judge(tmp_path, "--only", "history.search", "--repeat", "2", "--timeout", "4", "--existing", str(file))
            found = [outcome["verdict"] for outcome in report["outcomes"] if outcome["id"] == "history.search"]
            assert found == ["pass", "pass"], broken(report)


def test_content_that_nests_deep_is_refused(tmp_path: Path) -> None:
    deep = """if kind == "stream":
            parts[3] = b'{"name":"stdout","text":' + b"[" * 200000 + b"]" * 200000 + b"}"
        """
    kernel = altered(tmp_path, "return [DELIMITER,", deep + "return [DELIMITER,")
    report = judge(tmp_path, "--timeout", "2", "--only", "execute.print", *kernel)
    assert broken(report).keys() == {"wire.frames.json", "schema.stream"}  # what could not be read counts as empty
    assert report["exit"] == 1


def test_a_reply_without_a_parent_is_told_of(tmp_path: Path) -> None:
    kernel = altered(tmp_path, '"_reply"), reply, header)', '"_reply"), reply, {})')
    report = judge(tmp_path, "--timeout", "2", "--only", "execute.print", *kernel)
    assert report["exit"] == 2
    assert any("order.reply.parent" in finding for finding in broken(report)["start.tcp"])
    assert "order.reply.parent" in report["stderr"]


ERROR_REPLY = 'return {"status": "error", **failure} if failure else {"status": "ok"'


def test_a_sample_that_fails_is_unfit_whatever_the_reply_says(tmp_path: Path) -> None:
    kernel = altered(tmp_path, ERROR_REPLY, 'return {"status": "ok"')
    report = judge(tmp_path, "--only", "output.display*,output.update*,output.clear*,execute.payload.*,errors.reply.status", "--timeout", "4", *kernel)
    assert broken(report).keys() == {"errors.reply.status"}
    assert verdicts(report)["output.display"] == "n/a"


def test_an_interrupted_cell_may_end_without_idle(tmp_path: Path) -> None:
    idle = 'self.status("idle", header)'
    kernel = altered(tmp_path, idle, f'header["msg_type"] == "execute_request" or {idle}')
    report = judge(tmp_path, "--timeout", "4", "--only", "interrupt.loop,interrupt.next,interrupt.signal.process", *kernel)
    assert broken(report).keys() == {"order.idle.sent"}
    assert verdicts(report)["interrupt.signal.process"] == "pass"


@pytest.mark.parametrize(("most", "verdict"), [(0, "pass"), (40, "pass"), (10**6, "warning")])
def test_what_grows_without_end_is_a_leak(tmp_path: Path, most: int, verdict: str) -> None:
    keeps = f"""{HANDLER}
        kept = self.__dict__.setdefault("kept", [])
        if len(kept) < {most}:
            kept.append(open("/dev/null"))"""
    report = judge(tmp_path, "--only", "abuse.signals.ignored,abuse.resources", "--timeout", "4", *altered(tmp_path, HANDLER, keeps))
    assert verdicts(report)["abuse.signals.ignored"] == "pass"
    assert verdicts(report)["abuse.resources"] == verdict


def test_what_is_held_needs_abuse_to_be_seen(tmp_path: Path) -> None:
    assert verdicts(judge(tmp_path, "--only", "execute.empty,abuse.resources", *LEAST))["abuse.resources"] == "n/a"


HANDSHAKE = "ZMTP handshake failed"


def test_a_socket_of_another_type_ends_no_run(tmp_path: Path) -> None:
    kernel = altered(tmp_path, '("ROUTER", "control")', '("PUB", "control")')
    report = judge(tmp_path, "--timeout", "2", "--only", "execute.empty,shutdown.ends", *kernel, limit=PATIENCE)
    assert broken(report).keys() == {"shutdown.ends"}
    shown = next(outcome for outcome in report["outcomes"] if outcome["id"] == "shutdown.ends")
    assert HANDSHAKE in shown["findings"][0] + shown["transcript"]  # which of them depends on when the handshake was tried


def test_a_kernel_that_does_not_encrypt_ends_no_run(tmp_path: Path) -> None:
    report = judge(tmp_path, "--launch", "curve", "--supports", "curve", "--only", "execute.empty", *LEAST, limit=PATIENCE)
    assert report["exit"] == 2
    assert HANDSHAKE in report["stderr"]


def test_a_rule_that_is_broken_can_be_left_out(tmp_path: Path) -> None:
    kernel = altered(tmp_path, 'self.status("idle", header)', 'self.status("idle", header); self.status("idle", header)')
    arguments = ["--timeout", "4", "--only", "execute.empty"]
    assert broken(judge(tmp_path, *arguments, *kernel)).keys() == {"order.idle.once"}
    report = judge(tmp_path, *arguments, "--skip", "comm.*,order.idle.*", *kernel)
    assert broken(report) == {}
    assert report["exit"] == 0


# ---- the end ----


def processes_with(text: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    command = [TOOL, "--jobs", "3", "--repeat", "1000", "--only", "execute.*", *LEAST]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE, text=True) as tool:
        assert tool.stderr is not None
        tool.stderr.readline()  # the first that did not pass, or the first tenth: kernels run
        deadline = time.monotonic() + PATIENCE
        while not processes_with(str(tmp_path)):  # all of them may be between two cases
            assert time.monotonic() < deadline
        tool.send_signal(number)
        assert tool.wait(PATIENCE) == -number
    deadline = time.monotonic() + PATIENCE
    while processes_with(str(tmp_path)):  # those that were being killed as it ended
        assert time.monotonic() < deadline
    assert list(tmp_path.iterdir()) == []


def test_a_run_leaves_nothing(tmp_path: Path) -> None:
    run("--quiet", "--only", "execute.empty", *LEAST, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []
    assert processes_with(str(tmp_path)) == []


def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path) -> None:
    temporary, started = tmp_path / "tmp", tmp_path / "started"
    temporary.mkdir()
    os.mkfifo(started)
    home = {**os.environ, "TMPDIR": str(temporary)}
    # Its directory stays as long as the tool waits for it.
    never_up = shell(f"echo started >{started}; exec sleep 600")
    with subprocess.Popen([TOOL, "--quiet", "--timeout", "600", *never_up], env=home) as tool:
        assert started.read_text() == "started\n"
        tool.kill()
    assert list(temporary.iterdir()) != []
    run("--quiet", "--only", "execute.empty", *LEAST, env=home)
    assert list(temporary.iterdir()) == []


def zombies_of(pid: int) -> int:
    """Ended children that nobody has waited for."""
    count = 0
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split() if entry.name.isdigit() else []
        except OSError:
            continue  # it has been waited for meanwhile
        count += fields[:2] == ["Z", str(pid)]
    return count


def test_what_kernels_leave_behind_is_waited_for() -> None:
    starts_more = ["sh", "-c", 'sleep 600 & sleep 600 & exec "$0" "$@"', *MINIMAL]
    command = [TOOL, "--quiet", "--timeout", "4", "--repeat", "15", "--only", "execute.empty", "--argv", *starts_more]
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as tool:
        while tool.poll() is None:
            most = max(most, zombies_of(tool.pid))
            time.sleep(0.01)  # polled: /proc, which announces nothing
    assert tool.returncode == 0
    assert most <= 4  # of the kernel that ends at the moment


def sizes_below(folder: Path) -> Iterator[int]:
    """Of the files; also while somebody removes them."""
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                yield os.stat(os.path.join(place, name)).st_size


def test_what_a_kernel_writes_fills_no_disk(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    flood = shell("yes a long line to fill the disk with >&2")
    command = [TOOL, "--quiet", "--timeout", "2", "--format", "json", "--output", str(file), *flood]
    home = tmp_path / "home"
    home.mkdir()
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tool:
        most = 0
        while tool.poll() is None:
            most = max([most, *sizes_below(home)])
    assert most < 100_000
    assert file.stat().st_size < 1_000_000


# ---- what it prints ----


def test_progress_in_a_log(tmp_path: Path) -> None:
    loud = run("--only", "execute.c*,execute.e*,execute.s*", "--jobs", "4", *LEAST)
    assert sum(" cases, " in line for line in loud.stderr.splitlines()) == 10
    assert run("--quiet", "--only", "execute.empty", *LEAST).stderr == ""


def test_junit_has_times(tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    run("--quiet", "--only", "execute.empty", "--format", "junit", "--output", str(file), *LEAST)
    suites = xml.parse(file).getroot()
    suite = suites[0]
    assert float(suites.attrib["time"]) > 0
    assert float(suite.attrib["time"]) == pytest.approx(sum(float(case.attrib["time"]) for case in suite), abs=0.1)


# Bytes that are no UTF-8, a control character, U+FFFF, and so many of three bytes that the end of it begins within one.
NO_TEXT = r"printf 'a\377b\033c\357\277\277d'; for i in $(seq 1400); do printf '\342\202\254'; done; printf '%s' "


@pytest.mark.parametrize("end", ["", "x", "xx"])
def test_what_is_no_text_spoils_no_report(tmp_path: Path, end: str) -> None:
    junk = shell(f"{{ {NO_TEXT}'{end}'; printf '\\377\\001\\357\\277\\277'; }} >&2; exit 7")
    for form in ("text", "json", "junit", "markdown", "html"):
        file = tmp_path / form
        run("--quiet", "--format", form, "--output", str(file), *junk)  # whose stderr is read as UTF-8, too
        assert "\N{REPLACEMENT CHARACTER}" in file.read_bytes().decode() or form == "markdown", form
    case = xml.parse(tmp_path / "junit").getroot()[0][0]
    assert "\N{EURO SIGN}" in (case[0].text or "")


def test_one_run_gives_several_reports(tmp_path: Path) -> None:
    page, suites = tmp_path / "report.html", tmp_path / "report.xml"
    reports = ["--format", "junit", "--output", str(suites), "--format", "html", "--output", str(page), "--format", "text", "--output", "-"]
    done = run("--quiet", *reports, "--only", "execute.empty", *LEAST)
    assert done.returncode == 0
    assert done.stdout.count("conforms: ") == 1
    assert xml.parse(suites).getroot().tag == "testsuites"
    assert page.read_text().startswith("<!doctype html>")


def test_several_reports_need_a_place_each() -> None:
    done = run("--format", "junit", "--format", "html", "--output", "x", *LEAST)
    assert done.returncode == 2
    assert "2 --format and 1 --output" in done.stderr


def test_a_page_begins_with_what_is_wrong(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    run("--quiet", "--only", "execute.empty,offers.*", "--format", "html", "--output", str(page), *LEAST)
    shown = re.findall(r'<summary><span class="dot (\w+)"', page.read_text())
    assert {"warning", "pass"} <= set(shown)
    assert shown == sorted(shown, key=lambda verdict: verdict != "warning")


def test_the_list_says_what_is_tried_and_what_is_legal() -> None:
    rules = json.loads(run("--list", "--format", "json", "--only", "execute.*,order.*").stdout)
    assert all(rule["action"] and rule["legal"] and rule["requirement"] for rule in rules)
    assert {rule["id"].split(".")[0] for rule in rules} == {"execute", "order"}
    assert "legal: " in run("--list").stdout
    assert run("--list", "--format", "markdown").stdout.startswith("| case |")
    assert run("--list", "--format", "html").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--language", "klingon"], ["klingon", "python"]),
        (["--interrupt-mode", "shout"], ["signal", "message"]),
        (["--supports", "magic"], ["handshake", "curve"]),
    ],
)
def test_a_wrong_option_is_named_with_the_right_ones(arguments: list[str], said: list[str]) -> None:
    done = run(*arguments, *shell("exit 0"))
    assert done.returncode == 2
    assert all(word in done.stderr for word in said)


def test_a_wrong_sample_is_named_with_the_right_ones(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{"languages": {"mine": {"prnt": "say {text}"}}}')
    done = run("--samples", str(file), *shell("exit 0"))
    assert done.returncode == 2
    assert all(word in done.stderr for word in ("mine.json", "languages.mine.prnt", "print"))


@pytest.mark.parametrize(
    ("sample", "code", "said"),
    [
        ("print", "print('{txt}')", "languages.mine.print lacks {text}"),
        ("error", "fail", "languages.mine.error lacks {text}"),
        ("show", "print('{text}', ${name})", "languages.mine.show has {text}"),
        ("nothing", "{text}", "languages.mine.nothing has {text}"),
    ],
)
def test_a_sample_with_other_placeholders_is_refused(tmp_path: Path, sample: str, code: str, said: str) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"languages": {"mine": {sample: code}}}))
    done = run("--samples", str(file), *shell("exit 0"))
    assert done.returncode == 2
    assert said in done.stderr


def test_a_sample_that_fails_is_no_fault_of_the_kernel(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{"languages": {"python": {"print": "print({text})"}}}')
    done = run("--only", "execute.print", "--samples", str(file), *LEAST)
    assert done.returncode == 2
    assert "the sample 'print'" in done.stderr
    assert "NameError" in done.stderr


def test_what_is_code_and_no_placeholder_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    samples = {"print": "x='{text}'; echo ${x}", "show": "echo ${name}", "loop": "{ a }", "flood": None}
    file.write_text(json.dumps({"languages": {"mine": samples}}))
    assert "mine.json" not in run("--samples", str(file), *shell("exit 0")).stderr


def test_the_samples_of_the_tool_have_their_placeholders(tmp_path: Path) -> None:
    shipped = Path(__file__).with_name("samples.json")
    assert "samples.json" not in run("--samples", str(shipped), *shell("exit 0")).stderr


def test_what_a_kernelspec_says_can_be_said_of_a_command(tmp_path: Path) -> None:
    report = judge(tmp_path, "--interrupt-mode", "message", "--only", "interrupt.reply", *LEAST)
    assert broken(report).keys() == {"interrupt.reply"}  # by a MUST, where the kernel is to be interrupted by message
