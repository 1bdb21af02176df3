"""When the courier speaks up beside its daily notice: only where silence would harm, and never of what came.

Each alarm is one of these sentences, whatever a server or a stick says.
"""

import datetime

from whistle.courier.memory import Seen

DAY = 86_400  # seconds
REPEATED = DAY  # an alarm is given again after this long, if its cause is still there
ENDS = (2, 14, 30)  # days before the end of a manifest
SENTENCES = {
    "carried": "Nobody has exchanged at the workstation for days; what may have come is to be acknowledged in time. "
    "See that somebody does, and carries the stick.",
    "away": "The server could not be reached for a day. Check this machine's connection, then ask the operator.",
    "refused": "The server refuses this courier, or what it carries. Exchange by hand to see why.",
    "server": "The server shows something wrong. Exchange by hand to see what, and compare the root's digits.",
    "stick": "The stick, or this machine's disk, cannot be used as it is. Exchange by hand to see why.",
    "clock": "The server's clock may be wrong. Tell its operator; nothing expires there until then.",
    "30": "The list of readers ends within 30 days. Tell whoever keeps the root.",
    "14": "The list of readers ends within 14 days. Tell whoever keeps the root.",
    "2": "The list of readers ends within 2 days. Tell whoever keeps the root now.",
    "ended": "The list of readers has ended; soon nobody can report. Tell whoever keeps the root now.",
}


def standing(seen: Seen, now: float, patience: int) -> dict[str, str]:
    """By key, the sentences of what is wrong. `patience` is how many days nobody may come; `now` is since 1970.

    The key of an alarm that is given once, not each day, ends with the day that it is about.
    """
    today = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
    kinds = {kind: kind for kind in seen.troubles if kind in SENTENCES}
    came = min(max(seen.began, seen.written or seen.began), today)  # a workstation's clock may be ahead
    if (today - came).days >= patience:
        kinds["carried"] = "carried"
    if seen.failing is not None and now - seen.failing >= DAY:
        kinds["away"] = "away"
    if seen.expires is not None:
        left = (seen.expires - today).days
        near = next((str(days) for days in ENDS if left <= days), None)
        if left < 0:
            kinds["ended"] = "ended"
        elif near:
            kinds[f"{near} {seen.expires}"] = near
    return {key: SENTENCES[kind] for key, kind in kinds.items()}


def is_due(key: str, given: float | None, now: float) -> bool:
    """Whether to give an alarm that was given last at `given`; a clock that was set back does not silence it."""
    if given is None or given > now:
        return True
    return " " not in key and now - given >= REPEATED
