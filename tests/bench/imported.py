"""One import at a workstation, in a program of its own: reads which as JSON, writes what it took."""

import datetime
import json
import re
import sys
import time
from pathlib import Path

from whistle.workstation.exchange.imports import import_files
from whistle.workstation.workstation import Workstation


def main() -> None:
    """Import a part into a vault."""
    asked = json.loads(sys.stdin.read())
    day = datetime.date.fromisoformat(asked["day"])
    workstation = Workstation.open(Path(asked["folder"]), asked["passphrase"], lambda: day)
    begun = time.perf_counter()
    result = import_files(workstation, [Path(asked["part"])])
    took = time.perf_counter() - begun
    [peak] = re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    opened = len(result.kept) if len(result.kept) == len(workstation.case_ids()) else -1
    workstation.close()
    print(json.dumps({"seconds": took, "opened": opened, "memory": int(peak) / 1000}))


if __name__ == "__main__":
    main()
