"""Product text without what only a browser needs.

Two strengths: `strip_markup` for what shoppers are shown, `clean` for what is encoded and analysed. Both are
idempotent, never raise, and leave no control character.
"""

import html
import re
import unicodedata
from typing import Final

from selectolax.lexbor import LexborHTMLParser

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""Control characters that are no white space, zero-width characters and marks of direction."""
_TAG: Final = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_BARE_LESS_THAN: Final = re.compile(r"<(?![a-zA-Z/!?][^<>]*>)")
_ENTITY: Final = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);")
_ESCAPED_AMPERSANDS: Final = re.compile(r"&(?:(?:amp|AMP|#0*38|#[xX]0*26);)+")
_REPEATED: Final = re.compile(r"([!?,。！？、，；~])\1+|([.\-_=*…])\2{2,}")
_UNSEEN: Final = ("script", "style", "template", "noscript", "iframe", "object", "title")
_INLINE: Final = ("a", "b", "em", "font", "i", "mark", "small", "span", "strong", "sub", "sup", "u")
"""Tags inside a word or sentence: removed without a space in their place."""
_BARE_INLINE_TAG: Final = re.compile(rf"</?(?:{'|'.join(_INLINE)})(?:\s[^<>\"']*)?/?>", re.IGNORECASE)
"""Taken out before the parser sees them: unwrapping many within one another takes time by the square of their depth."""
_ROUNDS: Final = 6
"""Escapings within escapings that are undone; real feeds have two at most."""


def strip_markup(text: str) -> str:
    """Text without HTML, entities (escaped twice, too), control and zero-width characters; white space is single."""
    return " ".join(_without_markup(text, compatible=False).split())


def clean(text: str) -> str:
    """As `strip_markup`, in Unicode's compatibility form NFKC, and with repeated punctuation said once."""
    plain = " ".join(_without_markup(text, compatible=True).split())
    return _REPEATED.sub(lambda match: match[1] or match[2], plain)


def _without_markup(text: str, *, compatible: bool) -> str:
    # Each step can uncover work for another one: an entity may hide a tag, a zero-width character may split one.
    for _ in range(_ROUNDS):
        before = text
        if compatible and not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        text = _INVISIBLE.sub("", text)
        if "<" in text or "&" in text:
            text = _unmarked(text)
        if text == before:
            return text
    # Escaped deeper than any feed does. Without these two characters nothing is left to uncover.
    text = _INVISIBLE.sub("", re.sub("[<&＜＆﹤﹠]", " ", text))
    return unicodedata.normalize("NFKC", text) if compatible else text


def _unmarked(text: str) -> str:
    text = _ESCAPED_AMPERSANDS.sub("&", text)
    if _TAG.search(text):
        return _parsed(text)
    return html.unescape(text) if _ENTITY.search(text) else text


def _parsed(text: str) -> str:
    # What begins no tag is text, `3 < 5`, but a parser that meets `<y` without its end drops the rest.
    tree = LexborHTMLParser(_BARE_LESS_THAN.sub("&lt;", _BARE_INLINE_TAG.sub("", text)))
    tree.strip_tags(list(_UNSEEN))
    if tree.body is None:
        return ""
    tree.unwrap_tags(list(_INLINE))
    tree.merge_text_nodes()
    return tree.body.text(separator=" ")
