"""The texts that are measured with: the demonstration's catalogue, and Chinese made by combination. Always the same."""

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from zhiyin.common.v1.product_pb2 import Product

SEED: Final = 20_240_501
_CHINESE_SHARE: Final = 4
"""One text of so many is Chinese."""
_QUALITIES: Final = (
    "有机", "低脂", "无糖", "进口", "新鲜", "冷冻", "即食", "大包装", "小包装", "儿童",
    "家庭装", "原味", "草莓味", "巧克力味", "全麦", "低盐", "无麸质", "便宜的", "散装", "早餐",
)  # fmt: skip
_GOODS: Final = (
    "牛奶", "酸奶", "奶酪", "黄油", "鸡蛋", "面包", "麦片", "饼干", "薯片", "巧克力",
    "冰淇淋", "果汁", "矿泉水", "咖啡", "绿茶", "啤酒", "苹果", "香蕉", "土豆", "胡萝卜",
    "鸡胸肉", "牛肉馅", "火腿", "香肠", "三文鱼", "意大利面", "番茄酱", "橄榄油", "花生酱", "蜂蜜",
    "洗衣液", "纸巾", "垃圾袋", "牙膏", "洗发水", "猫粮", "狗粮", "婴儿尿布", "电池", "蜡烛",
)  # fmt: skip
_PACKS: Final = ("", "500克", "1升", "两公斤", "六瓶装", "12包", "一盒", "半加仑", "特价", "推荐")
_WISHES: Final = (
    "", "organic", "cheap", "fresh", "low fat", "sugar free", "family size", "large", "small", "kids", "whole grain",
    "unsalted", "spicy", "best", "gluten free",
)  # fmt: skip
_OCCASIONS: Final = ("", "for breakfast", "for the party", "for school lunch", "on sale", "for two", "in bulk")


@dataclass(frozen=True, slots=True)
class Mix:
    """Texts of one kind of length."""

    name: str
    texts: tuple[str, ...]
    are_queries: bool
    """Whether the model gets its prompt for queries."""


def length_mixes(products: Sequence[Product]) -> tuple[Mix, ...]:
    """Queries, titles, descriptions, and a mixture, with about 7, 22 and 200 tokens a text, one in four Chinese."""
    english, chinese = [_title(product) for product in products], _chinese_titles()
    random.Random(SEED).shuffle(english)
    queries = search_queries(products, 320)
    titles = _with_chinese(english, chinese, 256)
    descriptions = _with_chinese(_joined(english, ". ", 10), _joined(chinese, "。", 12), 40)
    mixed = [*queries[:64], *titles[:64], *descriptions[:12]]
    random.Random(SEED).shuffle(mixed)
    return (
        Mix("queries", tuple(queries), are_queries=True),
        Mix("titles", tuple(titles), are_queries=False),
        Mix("descriptions", tuple(descriptions), are_queries=False),
        Mix("mixed", tuple(mixed), are_queries=False),
    )


def search_queries(products: Sequence[Product], count: int) -> list[str]:
    """`count` distinct queries as shoppers type them, made of product words, one in four Chinese.

    Raises:
        ValueError: the products do not give so many.
    """
    chinese = ["".join(parts) for parts in itertools.product(_QUALITIES, _GOODS, _PACKS)]
    random.Random(SEED).shuffle(chinese)
    english = list(dict.fromkeys(_english_queries(products)))
    random.Random(SEED).shuffle(english)
    return _with_chinese(english, chinese, count)


def _english_queries(products: Sequence[Product]) -> Iterator[str]:
    for kind in dict.fromkeys(_words(product.title.partition(",")[0]) for product in products):
        for wish, occasion in itertools.product(_WISHES, _OCCASIONS):
            if kind and not (wish and occasion):
                yield " ".join(filter(None, (wish, kind, occasion)))


def _with_chinese(english: Sequence[str], chinese: Sequence[str], count: int) -> list[str]:
    share = count // _CHINESE_SHARE
    if len(english) < count - share or len(chinese) < share:
        raise ValueError(f"{len(english)} English and {len(chinese)} Chinese texts do not make {count}")
    texts = [*english[: count - share], *chinese[:share]]
    random.Random(SEED).shuffle(texts)
    return texts


def _title(product: Product) -> str:
    return ". ".join(filter(None, [product.title, product.brand, product.categories[0].rpartition(" > ")[2]]))


def _chinese_titles() -> list[str]:
    goods = itertools.product(_QUALITIES, _GOODS, _PACKS)
    titles = [f"{quality}{thing}{pack}，{thing}类，每日配送" for quality, thing, pack in goods]
    random.Random(SEED + 1).shuffle(titles)
    return titles


def _joined(texts: Sequence[str], separator: str, pieces: int) -> list[str]:
    """Texts of `pieces` texts each, as long as there are any."""
    chunks = (texts[i : i + pieces] for i in range(0, len(texts) // pieces * pieces, pieces))
    return [separator.join(chunk) for chunk in chunks]


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))
