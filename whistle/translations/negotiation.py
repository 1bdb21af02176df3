"""Which of the languages that there are somebody gets."""

from collections.abc import Iterable, Sequence


def negotiate(accepted: Iterable[tuple[str, float]], languages: Sequence[str]) -> str:
    """The first language among ``languages`` that somebody accepts, or else the first of them.

    `accepted` has tags, the most wanted first, with a quality that is 0 for what is not accepted.
    """
    for tag, quality in accepted:
        for code in (tag.lower(), tag.lower().split("-")[0]):
            if quality > 0 and code in languages:
                return code
    return languages[0]
