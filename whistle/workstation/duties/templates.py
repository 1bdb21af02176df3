"""Texts for replies, by occasion and language, with fields in curly brackets.

Those of a catalogue come with this program; the vault holds what an office wrote instead.  A field whose name is in
FIELDS is filled in from the case; every other is for whoever writes, and a reply in which one is left is refused.
"""

import datetime
import functools
import re
from collections.abc import Mapping

from sqlalchemy import select

from whistle.protocol.untrusted_text import one_line, plain
from whistle.translations import catalogues, cldr
from whistle.translations.catalogues import FIELD, REPLIES
from whistle.workstation.cases.overview import Case
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.vault.models import TemplateRow
from whistle.workstation.workstation import Workstation

DEFAULT = "en"
ACKNOWLEDGEMENT, CHECK_IN = "acknowledgement", "check-in"
OCCASIONS = {
    ACKNOWLEDGEMENT: "texts.for_acknowledgement",
    "question": "texts.for_question",
    "feedback": "texts.for_feedback",
    "closing": "texts.for_closing",
    CHECK_IN: "care.check_in",
    "retaliation": "texts.for_retaliation",
    "elsewhere": "texts.for_elsewhere",
}  # with the keys of what they are called
MARKS = {  # what a reply counts as
    ACKNOWLEDGEMENT: "acknowledgement",
    "feedback": "feedback",
    "closing": "feedback",
    CHECK_IN: "check-in",
}
FIELDS = {
    "reference": "texts.field_reference",
    "today": "texts.field_today",
    "received": "texts.field_received",
    "feedback": "texts.field_feedback",
    "role": "texts.field_role",
}  # with the keys of what they are
LONGEST, LONGEST_OCCASION, MOST = 20_000, 40, 500  # characters of a text, of an occasion; texts
LANGUAGE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8}){0,3}")
Key = tuple[str, str]  # occasion, language


@functools.cache
def shipped() -> Mapping[Key, str]:
    """The texts that come with this program."""
    return {
        (key.partition(".")[2], code): str(text)
        for code, translation in catalogues.shipped(REPLIES).items()
        for key, text in translation.messages.items()
    }


def all_of(workstation: Workstation) -> dict[Key, str]:
    """All texts, in the order of occasions and languages; not those that an office emptied."""
    own = {(row.occasion, row.language): row.text for row in workstation.vault.session.scalars(select(TemplateRow))}
    known = list(OCCASIONS)
    order = sorted(
        {**shipped(), **own}.items(),
        key=lambda item: (known.index(item[0][0]) if item[0][0] in known else len(known), item[0]),
    )
    return {key: text for key, text in order if text}


def title(occasion: str) -> str:
    """What an occasion is called."""
    return t(OCCASIONS[occasion]) if occasion in OCCASIONS else occasion


def language_for(workstation: Workstation, language: str, occasion: str = ACKNOWLEDGEMENT) -> str:
    """The language of the text for a reporter's language: that, its main one, or DEFAULT."""
    texts, main = all_of(workstation), language.partition("-")[0]
    return next((each for each in (language, main) if (occasion, each) in texts), DEFAULT)


def save(workstation: Workstation, occasion: str, language: str, text: str) -> Key:
    """Keep a text instead of the one before; an empty one is not offered any more.  Raises Refused."""
    key = one_line(occasion), language.strip().lower()
    whole = plain(text).strip()
    if not 0 < len(key[0]) <= LONGEST_OCCASION:
        raise Refused(t("texts.no_occasion"), t("texts.no_occasion_hint", LONGEST_OCCASION))
    if not LANGUAGE.fullmatch(key[1]):
        raise Refused(t("texts.no_language"), t("texts.no_language_hint", codes="en, ar, zh, fr, ru, es"))
    if len(whole) > LONGEST:
        raise Refused(t("texts.too_long", LONGEST), t("texts.too_long_hint"))
    if len(all_of(workstation)) >= MOST and key not in all_of(workstation):
        raise Refused(t("texts.too_many", MOST), t("texts.too_many_hint"))
    with workstation.change():
        workstation.vault.session.merge(TemplateRow(occasion=key[0], language=key[1], text=whole))
    return key


def reset(workstation: Workstation, occasion: str, language: str) -> None:
    """Go back to the text that comes with this program, or to none."""
    with workstation.change():
        row = workstation.vault.session.get(TemplateRow, (occasion, language))
        if row is not None:
            workstation.vault.session.delete(row)


def fill(workstation: Workstation, case: Case, text: str, language: str) -> str:
    """The text with those fields filled in that a case tells."""
    known = _values(workstation, case, language)
    return FIELD.sub(lambda found: known.get(found[1].strip(), found[0]), text)


def offered(workstation: Workstation, case: Case) -> list[tuple[str, list[tuple[str, str]]]]:
    """The texts to begin a reply with, each by its name and occasion, by language: the reporter's first, then this
    reviewer's.
    """
    by: dict[str, list[tuple[str, str]]] = {}
    for occasion, language in all_of(workstation):
        by.setdefault(language, []).append((f"{language}/{occasion}", title(occasion)))
    spoken = case.report.language if case.report else DEFAULT
    order = [spoken, spoken.partition("-")[0], *workstation.profile["languages"], *sorted(by)]
    return [(language, by[language]) for language in dict.fromkeys(order) if language in by]


def begun(workstation: Workstation, case: Case, name: str, typed: Mapping[str, str]) -> dict[str, str]:
    """The fields of a reply with the text of this name, if there is one, behind what was typed."""
    language, _, occasion = name.partition("/")
    text = all_of(workstation).get((occasion, language))
    if text is None:
        return dict(typed)
    filled = fill(workstation, case, text, language)
    whole = "\n\n".join(filter(None, [typed.get("text", "").rstrip(), filled]))
    return {"text": whole, "mark": MARKS.get(occasion, typed.get("mark", ""))}


def check(text: str) -> None:
    """Raise Refused if a field is left."""
    if left := len(FIELD.findall(text)):
        raise Refused(
            t("texts.unfilled", left),
            t("texts.unfilled_hint"),
        )


def in_words(day: datetime.date, language: str) -> str:
    """A day as it is written in a language; in English where its way is not known."""
    words = cldr.day(language if cldr.is_known(language) else DEFAULT, day)
    return f"1er{words[1:]}" if language.partition("-")[0] == "fr" and day.day == 1 else words  # CLDR says: 1


def _values(workstation: Workstation, case: Case, language: str) -> dict[str, str]:
    due = {each.what: each.day for each in case.deadlines}
    feedback = due.get("feedback")
    if feedback and "acknowledge" in due:  # what is written now acknowledges, and feedback counts from then
        today = min(workstation.today(), due["acknowledge"])
        feedback = case.office.end(case.office.feedback, today)
    received = case.begun if case.by_reporter else None
    days = {"today": workstation.today(), "received": received, "feedback": feedback}
    return {
        "reference": case.reference,
        "role": str(workstation.profile["role"]),
        **{name: in_words(day, language) for name, day in days.items() if day},
    }
