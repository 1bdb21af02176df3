"""Reporting: choose a channel, write the report, keep the words (SPEC 2, 6).

Words are shown only after the report is stored; sending the same form again shows the same words.
"""

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence

import flask
from markupsafe import Markup

from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.code.words import WordsError
from whistle.protocol.errors import Malformed
from whistle.protocol.reporter import compose, submission
from whistle.protocol.reporter.compose import Refused
from whistle.protocol.reporter.questions import ADVICE, EARLIER, URGENT, WAY
from whistle.protocol.trust.manifest import Channel, SignedManifest, fingerprint
from whistle.server import limits
from whistle.server.errors import NotStored
from whistle.server.reporter import asking, fields, readers_line
from whistle.server.reporter.fields import Problem
from whistle.server.reporter.render import (
    Visit,
    channel,
    channels,
    files_hint,
    notice,
    outside,
    page,
    pickup,
    plan,
    tickable,
)
from whistle.server.sealing import arrival
from whistle.server.sealing.arrival import Draft
from whistle.store import State, StoreError, Taken

Answer = Callable[[Visit], flask.Response]
_random = secrets.SystemRandom()


def choose(visit: Visit) -> flask.Response:
    """The form, if a channel was chosen on the first page or there is no choice; otherwise the list of channels."""
    signed = visit.sealing
    way = visit.arrived.get("step") if visit.arrived.get("step") in fields.WAYS else fields.way(visit.arrived)
    offered = compose.channels_for(signed.manifest, way)
    only = offered[0] if len(offered) == 1 else None
    if chosen := signed.manifest.channel(fields.channel(visit.arrived)) or only:
        return _form(visit, signed, chosen, way, ())
    return _choice(visit, signed, way)


def _choice(visit: Visit, signed: SignedManifest, way: str, *problems: Problem) -> flask.Response:
    """The list of channels."""
    ids = [each.id for each in compose.channels_for(signed.manifest, way)]
    offered = [each for each in channels(visit, signed) if each["id"] in ids]
    return page(visit, "channel.html", way=way, channels=offered, problems=problems)


def tell(visit: Visit) -> flask.Response:
    """The form of the chosen channel."""
    signed, way = visit.sealing, fields.way(visit.arrived)
    chosen = signed.manifest.channel(fields.channel(visit.arrived))
    if chosen is None:
        return _choice(visit, signed, way, Problem("channel", visit.t("channel.missing")))
    return _form(visit, signed, chosen, way, ())


def send(visit: Visit) -> flask.Response:
    """Store the report and show its words, or show the form again with the problem."""
    if submission.is_armored(visit.arrived.get("text")):
        return _save_sealed(visit)
    attempt = fields.attempt(visit.arrived)
    if attempt is None:
        return again(visit, Problem("", visit.t("error.old_form")))
    reporter = retrieval.derive(retrieval.code_for(attempt, visit.arrived.digest))
    if arrival.is_stored(reporter, visit.store):
        return stored(visit, reporter)
    signed = visit.sealing
    chosen = signed.manifest.channel(visit.arrived.get("channel"))
    if chosen and chosen.id != visit.arrived.get("shown"):
        # Another channel has other readers: show them first.
        return _form(visit, signed, chosen, fields.way(visit.arrived), files_problem(visit))
    if chosen is None or visit.arrived.get("keys") != str(signed.manifest.serial):
        return again(visit, Problem("without", visit.t("error.renewed")))
    try:
        with limits.storing():
            arrival.first_report(_draft(visit, signed, chosen), reporter, visit.published, visit.store, visit.day)
    except (NotStored, Refused) as error:
        return again(visit, fields.problem(visit.t, error, visit.bounds))
    return words_page(visit, reporter)


def _save_sealed(visit: Visit) -> flask.Response:
    """Store a report that was sealed elsewhere and pasted (SPEC 9.6); the server never learns its words."""
    arrived = visit.arrived
    beside = [value for name, value in arrived.fields if name == "without" or name.startswith(asking.ANSWER)]
    if arrived.attachments or any(map(str.strip, beside)):
        return again(visit, Problem("text", visit.t("error.sealed_alone")))
    try:
        sealed = submission.dearmor(arrived.get("text"), visit.config.slots)
        with limits.storing(
            again=all(visit.store.has(each.id) for each in arrival.under(sealed.token, sealed.envelopes))
        ):
            arrival.save(sealed, (), visit.store)
    except NotStored as error:
        return again(visit, fields.problem(visit.t, error, visit.bounds))
    except Malformed:
        return again(visit, Problem("text", visit.t("error.sealed_damaged")))
    except Taken:
        return again(visit, Problem("text", visit.t("error.sealed_gone")))
    return done(visit, visit.t("reading.sealed"), kept=True, sealed=True)


def again(visit: Visit, problem: Problem) -> flask.Response:
    """The form with what was typed, and the problem; files must be chosen again."""
    signed = visit.sealing
    named = (signed.manifest.channel(visit.arrived.get(name)) for name in ("channel", "shown"))
    chosen = next(filter(None, named), signed.manifest.channels[0])  # never lose a text because its channel is gone
    return _form(visit, signed, chosen, fields.way(visit.arrived), problems_of(visit, problem))


def problems_of(visit: Visit, problem: Problem) -> tuple[Problem, ...]:
    """A problem, and that files must be chosen again: browsers never keep them."""
    return (problem, *(files_problem(visit) if problem.field != "files" else ()))


def files_problem(visit: Visit) -> tuple[Problem, ...]:
    """The problem that files must be chosen again, if there were any or it is unknown."""
    had_files = visit.arrived.attachments or not visit.arrived.digest
    return (Problem("files", visit.t("error.files_again")),) if had_files else ()


def show_words(visit: Visit) -> flask.Response:
    """The words again, in the chosen word list."""
    return _with_code(visit, lambda code: words_page(visit, retrieval.derive(code)))


def keep(visit: Visit) -> flask.Response:
    """Ask three of the words back."""

    def ask(code: bytes) -> flask.Response:
        places = sorted(_random.sample(range(1, words.COUNT + 1), fields.WORDS_ASKED))
        return page(visit, "keep.html", code=fields.hidden_code(code), list=_list(visit), places=places)

    return _with_code(visit, ask)


def kept(visit: Visit) -> flask.Response:
    """The last page if three words were typed correctly, or else the words again."""

    def compare(code: bytes) -> flask.Response:
        if fields.matches(code, visit.arrived):
            reporter = retrieval.derive(code)
            return done(visit, readers_line.stored(visit, reporter), kept=True, plans=not _asks_advice(visit, reporter))
        return words_page(visit, retrieval.derive(code), wrong=True)

    return _with_code(visit, compare)


def leave(visit: Visit) -> flask.Response:
    """The last page, for a reporter who will not return."""
    who = Markup()
    with contextlib.suppress(WordsError):  # the report is stored, even if this form lacks the words
        who = readers_line.stored(visit, retrieval.derive(words.decode(visit.arrived.get("words"))))
    return done(visit, who, kept=False)


def _asks_advice(visit: Visit, reporter: Reporter) -> bool:
    with contextlib.suppress(StoreError):
        slip = arrival.slip(reporter, visit.store, visit.config.slots)
        return bool(slip and slip.way)
    return False


def done(visit: Visit, who: Markup, kept: bool, sealed: bool = False, plans: bool = True) -> flask.Response:
    """Who reads it and what happens next; ``sealed``: only the reporter's own device knows the words.

    ``plans``: the plan of a report holds.
    """
    signed = visit.published.current(visit.day)
    return page(
        visit,
        "done.html",
        kept=kept,
        sealed=sealed,
        reading=who,
        waits=pickup(visit, signed, "done.pickup"),
        plan=plan(visit, visit.day) if kept and plans else (),
    )


STEPS: Mapping[str, Answer] = {
    "report": choose,
    "advice": choose,
    "tell": tell,
    "send": send,
    "words": show_words,
    "keep": keep,
    "kept": kept,
    "leave": leave,
}


def _draft(visit: Visit, signed: SignedManifest, chosen: Channel) -> Draft:
    arrived = visit.arrived
    text, way = fields.text(arrived), fields.way(arrived)
    asked = asking.asked(visit, chosen.id, way)
    answers = {**asking.given(arrived, asked, visit.t.code), **fields.earlier(arrived)}
    if way == ADVICE:
        answers[WAY] = ADVICE
    if arrived.get(URGENT):
        answers[URGENT] = "yes"
    return Draft(
        channel=chosen.id,
        language=visit.t.code,
        text=text,
        answers=answers,
        without=fields.left_out(arrived, signed.manifest),
        attachments=arrived.attachments,
        blocks=arrived.blocks,
    )


def _form(
    visit: Visit, signed: SignedManifest, chosen: Channel, way: str, problems: Sequence[Problem]
) -> flask.Response:
    arrived = visit.arrived
    nobody = any(problem.nobody for problem in problems)
    typed, asked = fields.attempt(arrived), asking.asked(visit, chosen.id, way)
    return page(
        visit,
        "tell.html",
        status=422 if problems else 200,
        way=way,
        urgent=arrived.get(URGENT),
        channel=channel(visit, signed, chosen),
        chosen=chosen.id,
        channels=channels(visit, signed) if nobody and len(signed.manifest.channels) > 1 else (),
        serial=signed.manifest.serial,
        attempt=typed.hex() if typed else fields.new_attempt(),
        text=arrived.get("text"),
        questions=asking.groups(visit, asked),
        words=asking.words(visit, asked),
        earlier=fields.earlier(arrived).get(EARLIER, ""),
        readers=tickable(visit, signed, chosen.readers),
        about="tell",
        choosing=readers_line.for_channel(visit, signed, chosen),
        will=readers_line.will_read(visit, signed, chosen).striptags(),
        sealed=_sealed(visit),
        nobody=nobody,
        outside=outside(visit) if nobody else (),
        files_hint=files_hint(visit),
        plan=plan(visit, visit.day) if way != ADVICE else (),
        problems=problems,
    )


def _sealed(visit: Visit) -> str:
    """What the program will say in the place of how the server seals."""
    digits = fingerprint(visit.instance.published.roots)
    return "\n".join((visit.t.text("script.sealed"), visit.t.text("script.digits", digits=digits)))


def _with_code(visit: Visit, answer: Callable[[bytes], flask.Response]) -> flask.Response:
    try:
        return answer(words.decode(visit.arrived.get("words")))
    except WordsError:
        return notice(visit, "notice.unreadable", status=400)


def _list(visit: Visit) -> str:
    chosen = visit.arrived.get("list")
    return chosen if chosen in words.LANGUAGES else words.list_for(visit.t.code)


def stored(visit: Visit, reporter: Reporter) -> flask.Response:
    """The words of a report stored before, or a notice if it was removed since."""
    for envelope in visit.store.lookup([reporter.report_id]):
        if envelope.state is State.REMOVED:
            return notice(visit, "case.state", visit.t("case.removed", day=visit.t.day(envelope.state_day)))
    return words_page(visit, reporter)


def words_page(visit: Visit, reporter: Reporter, wrong: bool = False) -> flask.Response:
    """The page with the twelve words of a stored report."""
    shown, code = _list(visit), reporter.code
    return page(
        visit,
        "words.html",
        words=list(zip(words.encode(code, shown), words.numbers(code), strict=True)),
        code=fields.hidden_code(code),
        list=shown,
        lists=words.LANGUAGES,
        numbers_first=visit.t.code not in words.LANGUAGES,
        reference=retrieval.reference(reporter.case),
        reading=readers_line.stored(visit, reporter),
        wrong=wrong,
    )
