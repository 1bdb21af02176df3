"""Scanners that strangers will point at the server find nothing."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trial import honest
from tests.trial.conftest import Measure
from tests.trial.counts import TRIAL, full
from tests.trial.serving import Server

SECONDS = full("SCAN_SECONDS", 1800, 60)  # for each scanner
# Those that need no host but the server itself.
MODULES = (
    "backup,brute_login_form,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,permanentxss,redirect,"
    "shellshock,sql,blindsql,xss"
)
# What wapiti says of every site of this kind; docs/trials.md says why it is no finding.
EXPLAINED = {"X-XSS-Protection is not set", "Strict-Transport-Security is not set"}
FORMS = {
    "look": "step=look&words=1+2+3+4+5+6+7+8+9+10+11+12",
    "send": f"step=send&attempt={'ab' * 32}&keys=1&channel=harassment&shown=harassment&text=hello&without=x",
    "words": "step=words&words=abandon&list=en",
}
SLOW_SECONDS = full("SLOW_SECONDS", 120, 5)  # for each kind of slowness
SERVED = 0.95
SLOW = {  # as in slowhttptest's manual
    "heads": "-H -i 10 -t GET -x 24",
    "bodies": "-B -i 10 -s 8192 -t POST -x 10",
    "large bodies": "-B -i 10 -s 100000000 -t POST -x 1000",
    "ranges": "-R -t HEAD -a 10 -b 3000",
    "readers": "-X -w 512 -y 1024 -n 5 -z 32 -k 3",
}

pytestmark = pytest.mark.skipif(not TRIAL, reason="scanners are a trial: make trial")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that refuses nothing for being asked too often."""
    with Server.make(tmp_path / "server").running() as running:
        yield running
        assert running.post("/api/lookup", [], 0, {})[0] == 415  # it still answers
    said = (tmp_path / "server" / "said.log").read_text()
    assert "ERROR" not in said, said


def installed(name: str) -> str:
    """The program's path."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return found


def test_wapiti(server: Server, tmp_path: Path, measured: Measure) -> None:
    """Debian's wapiti, with every module that needs no other host, finds nothing that is not explained."""
    report = tmp_path / "wapiti.json"
    command = [installed("wapiti"), "-u", f"{server.url}/en/", "--scope", "domain", "-m", MODULES, "-f", "json"]
    command += ["-o", str(report), "--flush-session", "--no-bugreport", "-d", "6", "--store-session", str(tmp_path)]
    command += ["--max-scan-time", str(SECONDS), "--max-attack-time", str(SECONDS // 4), "-v", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 600, cwd=tmp_path)
    assert report.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(report.read_text())
    told = {each["info"] for some in found["vulnerabilities"].values() for each in some}
    measured("findings", ", ".join(sorted(told)) or "none")
    assert told <= EXPLAINED, told - EXPLAINED
    assert not any(found["anomalies"].values()), found["anomalies"]


@pytest.mark.parametrize("form", FORMS)
def test_sqlmap(server: Server, tmp_path: Path, measured: Measure, form: str) -> None:
    """Debian's sqlmap finds no field of a form that reaches the database."""
    command = [installed("sqlmap"), "-u", f"{server.url}/en/", f"--data={FORMS[form]}", "--batch", "--level=2"]
    command += ["--risk=2", "--disable-coloring", "--threads=4", f"--output-dir={tmp_path / 'sqlmap'}"]
    command += ["--flush-session", "--ignore-stdin"]
    try:
        said, ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS).stdout, "to its end"
    except subprocess.TimeoutExpired as over:
        said, ended = (over.stdout or b"").decode("utf-8", "replace"), f"ended after {SECONDS} s"
    assert "testing if" in said, said[-2000:]
    measured("it went", ended)
    measured("fields tried", len(set(re.findall("testing if [A-Z]+ parameter '([^']+)'", said))))
    assert "identified the following injection point" not in said, said[-3000:]


@pytest.mark.parametrize("kind", SLOW)
def test_slowhttptest(server: Server, tmp_path: Path, measured: Measure, kind: str) -> None:
    """Beside a thousand connections of Debian's slowhttptest, it and honest people find the server available."""
    command = [installed("slowhttptest"), *SLOW[kind].split(), "-c", "1000", "-r", "200", "-l", str(SLOW_SECONDS)]
    command += ["-p", "3", "-u", f"{server.url}/en/"]
    with honest.coming(server, circuits=False) as served:
        said = subprocess.run(command, capture_output=True, text=True, timeout=SLOW_SECONDS + 600, cwd=tmp_path).stdout
    available = re.findall(r"service available:[^YN]*(YES|NO)", said)
    measured("looks that found it available", f"{available.count('YES')} of {len(available)}")
    measured("honest people", {name: str(found) for name, found in served.items()})
    assert available and available.count("YES") >= SERVED * len(available), said[-2000:]
    assert all(found.share >= SERVED for found in served.values()), served
