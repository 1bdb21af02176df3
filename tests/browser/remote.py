"""A real browser that a test leads step by step: `remote.mjs` is its end of the line."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.browser import kept
from tests.browser.walks import HERE, browser


class Remote:
    """Each step waits until it is done; what it is called is in `remote.mjs`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, step: str, *more: Any) -> Any:
        """Do something; what it tells, if anything."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([step, *more]) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if not said:
            kept.end(self._process)  # else its errors may have no end
            assert self._process.stderr
            raise AssertionError((step, more, self._process.stderr.read()[-3000:]))
        return json.loads(said)

    def open(self, words: str, wanted: str = "main form:has([value=follow-up])") -> str:
        """The page of a case."""
        self("comeBack", words)
        self("see", wanted)
        return str(self("text", "main"))


@contextmanager
def remote(name: str, address: str, language: str = "en", **more: Any) -> Iterator[Remote]:
    """A browser with script on; in the end axe and its console must have said nothing."""
    given = {**browser(name), "address": address, "language": language, **more}
    given["endpoint"] = kept.endpoint(given)
    command = ["node", str(HERE / "remote.mjs"), json.dumps(given)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) as process:
        try:
            yield Remote(process)
        except BaseException:
            kept.end(process)
            kept.discard(given)
            raise
        assert process.stdin and process.stdout and process.stderr
        process.stdin.close()
        told, faults = process.stdout.read(), process.stderr.read()  # `communicate` misses what was read ahead
    assert process.returncode == 0, faults[-3000:]
    found = json.loads(told)["found"]
    assert found == [], found
