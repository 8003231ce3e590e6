"""Reasons for shoppers, in Chinese and English."""

from typing import Final

from services.ranker.recommendation import ReasonCode

_ELLIPSIS: Final = "…"

_CHINESE: Final = {
    ReasonCode.NONE: "为你推荐",
    ReasonCode.VIEWED: "因为你浏览过相似的商品",
    ReasonCode.IN_CART: "与你购物车里的商品相配",
    ReasonCode.BOUGHT: "因为你购买过相似的商品",
    ReasonCode.SEARCHED: "与你的搜索相关",
    ReasonCode.LIKED: "与你评价或分享过的商品相似",
    ReasonCode.TOGETHER: "常被一起选购",
    ReasonCode.SIMILAR: "相似商品",
    ReasonCode.TRENDING: "近期热门",
    ReasonCode.POPULAR: "很受欢迎",
    ReasonCode.NEW: "新品，看过的人还不多",
    ReasonCode.BUY_AGAIN: "你以前买过",
    ReasonCode.EXPLORED: "换个口味，发现新的选择",
}
_CHINESE_WITH_TITLE: Final = {
    ReasonCode.VIEWED: "因为你浏览过《{title}》",
    ReasonCode.IN_CART: "因为你把《{title}》加入了购物车",
    ReasonCode.BOUGHT: "因为你购买过《{title}》",
    ReasonCode.LIKED: "因为你评价或分享过《{title}》",
    ReasonCode.TOGETHER: "常与《{title}》一起选购",
    ReasonCode.SIMILAR: "与《{title}》相似",
}
_ENGLISH: Final = {
    ReasonCode.NONE: "Recommended for you",
    ReasonCode.VIEWED: "Because you viewed something like it",
    ReasonCode.IN_CART: "Goes with what is in your cart",
    ReasonCode.BOUGHT: "Because you bought something like it",
    ReasonCode.SEARCHED: "Related to what you searched for",
    ReasonCode.LIKED: "Like something that you rated or shared",
    ReasonCode.TOGETHER: "Often chosen together",
    ReasonCode.SIMILAR: "Something similar",
    ReasonCode.TRENDING: "Trending now",
    ReasonCode.POPULAR: "Popular",
    ReasonCode.NEW: "New: few people have seen it yet",
    ReasonCode.BUY_AGAIN: "You bought it before",
    ReasonCode.EXPLORED: "Something different for you to discover",
}
_ENGLISH_WITH_TITLE: Final = {
    ReasonCode.VIEWED: "Because you viewed “{title}”",
    ReasonCode.IN_CART: "Because “{title}” is in your cart",
    ReasonCode.BOUGHT: "Because you bought “{title}”",
    ReasonCode.LIKED: "Because you rated or shared “{title}”",
    ReasonCode.TOGETHER: "Often chosen together with “{title}”",
    ReasonCode.SIMILAR: "Similar to “{title}”",
}


def reason_text(code: ReasonCode, title: str, language_code: str, title_length: int) -> str:
    """The reason in Chinese for `zh...`, else in English; `title` empty = it names no product."""
    is_chinese = language_code.lower().split("-")[0] == "zh"
    with_title = _CHINESE_WITH_TITLE if is_chinese else _ENGLISH_WITH_TITLE
    if title and code in with_title:
        return with_title[code].replace("{title}", cut(title, title_length))
    return (_CHINESE if is_chinese else _ENGLISH)[code]


def cut(title: str, length: int) -> str:
    """The title on one line, of at most `length` characters."""
    line = " ".join(title.split())
    return line if len(line) <= length else line[: length - len(_ELLIPSIS)].rstrip() + _ELLIPSIS
