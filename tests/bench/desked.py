"""One workstation's page with many cases, in a program of its own: reads which as JSON, writes what it took."""

import datetime
import json
import re
import statistics
import sys
import time
from pathlib import Path

from whistle.workstation.app.app import create_app
from whistle.workstation.workstation import Workstation

HOST = "http://localhost:1"
PAGES = 20
FILTERS = (
    {"label": "cellar"},
    {"status": "new", "unread": "on", "due": "soon"},
    {"status": "closed"},
    {"muted": "on"},
    {"files": "on"},
)


def main() -> None:
    """Open a vault, and show pages, a case and what is found."""
    asked = json.loads(sys.stdin.read())
    day = datetime.date.fromisoformat(asked["day"])
    begun = time.perf_counter()
    workstation = Workstation.open(Path(asked["folder"]), asked["passphrase"], lambda: day)
    page = create_app(workstation, None, token="t").test_client()

    def took(path: str, form: str = "search", **fields: str) -> tuple[float, str]:
        start = time.perf_counter()
        if fields:
            page.post(f"/t/{form}", base_url=HOST, headers={"Origin": HOST}, data=fields)
        shown = page.get(f"/t/{path}", base_url=HOST)
        assert shown.status_code == 200
        return time.perf_counter() - start, shown.text

    _, first = took("")
    opened = time.perf_counter() - begun
    last = int(re.findall(r"Page 1 of (\d+)", first)[0])
    pages = [took(f"?page={1 + number * last // PAGES}")[0] for number in range(PAGES)]
    filtered = max(min(took("", "filter", **each)[0] for _ in range(3)) for each in FILTERS)
    names = re.findall(r"/t/case/([0-9a-f]+)", first)
    took(f"case/{names[0]}")  # names of all cases are made once
    case = statistics.median(took(f"case/{name}")[0] for name in names[1:6])
    searches = [min(took("found", words=words)[0] for _ in range(3)) for words in asked["queries"]]
    peak = int(re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1000
    workstation.close()
    told = {"first": opened, "page": max(pages), "filtered": filtered, "case": case, "memory": peak}
    print(json.dumps(told | {"search": statistics.median(searches), "worst": max(searches)}))


if __name__ == "__main__":
    main()
