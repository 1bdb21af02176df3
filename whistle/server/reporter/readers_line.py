"""The line that says who will read a message and who was left out: beside Send, when it is stored, and in the case.

Nothing here decides who reads: the line shows the form's choice or the slip's content, or that it is not known.
"""

import contextlib
from collections.abc import Iterable

from markupsafe import Markup

from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.reporter.compose import Draft, NobodyLeft
from whistle.protocol.reporter.reply_validation import BroughtIn
from whistle.protocol.trust.manifest import RECOVERY, Channel, SignedManifest
from whistle.server.reporter import fields
from whistle.server.reporter.render import Visit, names
from whistle.server.sealing import arrival
from whistle.server.sealing.case_view import CaseView
from whistle.store import StoreError
from whistle.translations.translation import Translation


def line(visit: Visit, signed: SignedManifest, readers: Iterable[str], without: Iterable[str]) -> Markup:
    """Who will read a message, and who was left out."""
    t, able = visit.t, tuple(readers)
    anybody = any(id != RECOVERY for id in able)  # nothing is sealed to the reserve key alone
    sentence = t("reading.will", names=names(visit, signed, able)) if anybody else t("reading.nobody")
    return Markup("<strong>{}</strong> {}").format(sentence, _out(visit, signed, without))


def for_channel(visit: Visit, signed: SignedManifest, channel: Channel) -> Markup:
    """For a report's form: the readers of the channel, or those left by the checkboxes of the submitted form."""
    return offered(visit, signed, *_chosen(visit, signed, channel))


def will_read(visit: Visit, signed: SignedManifest, channel: Channel) -> Markup:
    """For a report's form: what the program will say of the same readers."""
    return line(visit, signed, *_chosen(visit, signed, channel))


def _chosen(visit: Visit, signed: SignedManifest, channel: Channel) -> tuple[tuple[str, ...], tuple[str, ...]]:
    without = fields.left_out(visit.arrived, signed.manifest)
    readers: tuple[str, ...] = ()
    with contextlib.suppress(NobodyLeft):
        readers = arrival.report_readers(Draft(channel.id, visit.t.code, "", without=without), signed, visit.day)
    return readers, without


def offered(visit: Visit, signed: SignedManifest, readers: Iterable[str], without: Iterable[str]) -> Markup:
    """For a form with checkboxes: the line stays true when a box is ticked later."""
    if not visit.arrived.all("without"):
        return visit.t("reading.before", names=names(visit, signed, readers))
    return Markup("{} {}").format(visit.t("reading.chosen"), line(visit, signed, readers, without))


def stored(visit: Visit, reporter: Reporter) -> Markup:
    """For a stored report: what its slip says."""
    with contextlib.suppress(StoreError):
        if slip := arrival.slip(reporter, visit.store, visit.config.slots):
            return line(visit, visit.published.current(visit.day), slip.readers, slip.without)
    return visit.t("reading.unknown")


def case(visit: Visit, signed: SignedManifest, view: CaseView) -> Markup:
    """Who can read the report of a case, who was left out, and who was let in later."""
    t = visit.t
    if view.slip is None:
        return t("case.no_slip")
    sentence = t("reading.can", names=names(visit, signed, view.slip.readers))
    later = [_later(visit.t, each) for each in view.brought_in]
    more = Markup(" ").join([_out(visit, signed, view.slip.without), *later])
    return Markup("<strong>{}</strong> {}").format(sentence, more)


def _later(t: Translation, brought_in: BroughtIn) -> Markup:
    name, by = (reviewer.shown(t.code) for reviewer in (brought_in.reviewer, brought_in.by))
    return t("reading.later", name=name, by=by, day=t.day(brought_in.day))


def _out(visit: Visit, signed: SignedManifest, without: Iterable[str]) -> Markup:
    out = names(visit, signed, without)
    return visit.t("reading.out", names=out) if out else visit.t("reading.nobody_out")
