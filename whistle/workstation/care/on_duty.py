"""The frame in each page of a connected workstation that says when it looked for messages, and whether one is urgent.

It asks for itself anew, which is no use of the page: the workstation locks when it is idle all the same.
"""

import io
import math
import struct
import wave
from functools import cache

import flask

from whistle.local_page import guard
from whistle.workstation.app import pages
from whistle.workstation.care.watch import Watch

RATE, TONE, LENGTH = 8000, 880, 0.6  # of the sound: samples a second, hertz, seconds
POLICY = guard.POLICY.format(by="'self'") + "; media-src 'self'"

on_duty = flask.Blueprint("on_duty", __name__)


@on_duty.get("/on-duty")
def frame() -> flask.Response:
    """What the last look found; nothing while the workstation is locked."""
    current = pages.desk().opened
    watch = current.watch if current is not None and current.courier is not None else Watch()
    rings, watch.rings = watch.rings, False
    answer = guard.panel(flask.render_template("on_duty.html", watch=watch, rings=rings))
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


@on_duty.get("/bell.wav")
def bell() -> flask.Response:
    """A short sound."""
    return flask.Response(_sound(), mimetype="audio/wav")


@cache
def _sound() -> bytes:
    count, file = int(RATE * LENGTH), io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        tone = (math.sin(2 * math.pi * TONE * at / RATE) * (1 - at / count) for at in range(count))
        sound.writeframes(b"".join(struct.pack("<h", int(12_000 * each)) for each in tone))
    return file.getvalue()
