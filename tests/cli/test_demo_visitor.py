"""What the demonstration shows of a shopper, against a gateway in memory."""

import pytest

from cli.demo_shop import Shop
from cli.demo_visitor import Visitor, show_visitor, wait_until_counted
from zhiyin.common.v1 import user_event_pb2 as pb
from zhiyin.common.v1.product_pb2 import Product


@pytest.fixture
def shop(gateway):
    for i in range(12):
        gateway.fake.products[f"p{i:02}"] = Product(id=f"p{i:02}", title=f"milk {i}")
    return Shop(gateway.address, "demo")


async def test_a_click_is_recorded_and_the_list_shown_again_when_it_has_changed(gateway, shop, capsys):
    await show_visitor(shop, Visitor("household-7", "milk"))
    (click,) = gateway.fake.events.values()
    assert (click.type, click.visitor_id) == (pb.USER_EVENT_TYPE_CLICK, "household-7")
    assert [product.product_id for product in click.products] == ["p00"]
    assert click.attribution_token == "attribution-token-of-this-list"
    assert gateway.fake.calls == ["Recommend", "Search", "RecordEvents", "Recommend"]
    shown = capsys.readouterr().out
    assert "because you viewed p00" in shown
    assert "1 of 10 places are new" in shown


async def test_the_demonstration_goes_on_when_all_purchases_are_counted(gateway, shop, capsys):
    for i in range(3):
        event = pb.UserEvent(event_id=f"e{i}", visitor_id="v", type=pb.USER_EVENT_TYPE_PURCHASE_COMPLETE)
        event.products.add(product_id="p01")
        gateway.fake.events["v", event.event_id] = event
    await wait_until_counted(shop, "p01", 3)
    assert gateway.fake.calls == ["GetProductStatistics"]
