"""`zhiyin profile`, `export-user`, `erase` and `visitor-kind`: what is kept of one person, and how it counts."""

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from rich.table import Table

from cli.actions import action_name
from cli.gateway import connected
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, TimeoutOption
from cli.output import RESULTS, note, plain, write_json
from cli.running import USAGE, CommandFailed, run
from cli.shopper_gateway import UserDataGateway
from zhiyin.common.v1.behaviour_pb2 import Behaviour
from zhiyin.gateway.v1 import user_data_service_pb2 as pb

SHOWN_IDS: Final = 20
PersonVisitor = Annotated[str, typer.Option("--visitor", help="Pseudonym of the visitor.")]
PersonUser = Annotated[str, typer.Option("--user", help="Pseudonym of the account: all its visitors.")]


class Kind(StrEnum):
    """What a visitor is taken for, as the command line names it."""

    BY_RULES = "by-rules"
    PERSON = "person"
    BOT = "bot"


_KINDS: Final = {
    Kind.BY_RULES: pb.VisitorKind.VISITOR_KIND_BY_RULES,
    Kind.PERSON: pb.VisitorKind.VISITOR_KIND_PERSON,
    Kind.BOT: pb.VisitorKind.VISITOR_KIND_BOT,
}


def profile(
    *,
    visitor: PersonVisitor = "",
    user: PersonUser = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Behaviours at most.")] = 50,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Show what a visitor did lately, and what counts how much."""

    async def work() -> int:
        _need_somebody(visitor, user)
        async with connected(UserDataGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            found = await peer.profile(visitor, user, limit)
        if as_json:
            told = MessageToDict(found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            write_json(told)
        else:
            _show_profile(found)
        return 0

    run(work)


def export_user(
    *,
    visitor: PersonVisitor = "",
    user: PersonUser = "",
    to: Annotated[Path | None, typer.Option("--to", help="File to write; none = stdout.")] = None,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Write everything that is kept of a person, as JSON lines."""

    async def work() -> int:
        _need_somebody(visitor, user)
        async with connected(UserDataGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            if to is None:
                lines = await _export(peer, visitor, user, sys.stdout.buffer)
            else:
                try:
                    with to.open("wb") as file:
                        lines = await _export(peer, visitor, user, file)
                except OSError as exc:
                    raise CommandFailed(f"{to}: {exc.strerror}") from exc
        note(f"{lines:,} records")
        return 0

    run(work)


def erase(
    *,
    visitor: PersonVisitor = "",
    user: PersonUser = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Erase everything that is kept of a person, and print the receipt. It cannot be undone; it can be repeated."""

    async def work() -> int:
        async with connected(UserDataGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            receipt = await peer.erase(visitor, user)
        if as_json:
            told = MessageToDict(receipt, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            write_json(told)
        else:
            _show_receipt(receipt)
        return 0

    async def ask_and_work() -> int:
        _need_somebody(visitor, user)
        if not yes and not _is_confirmed("the account and all its visitors" if user else "the visitor"):
            raise CommandFailed("nothing was erased")
        return await work()

    run(ask_and_work)


def visitor_kind(
    kind: Annotated[Kind, typer.Argument(help="What to take the visitor for.", show_default=False)],
    *,
    visitor: Annotated[str, typer.Option("--visitor", help="Pseudonym of the visitor.")],
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Take a visitor for a program, or for a person whatever the rules say.

    What it did is kept; for others it counts no longer, or again.
    """

    async def work() -> int:
        async with connected(UserDataGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            reply = await peer.set_kind(visitor, _KINDS[kind])
        if as_json:
            write_json({"is_bot": reply.is_bot, "event_count": reply.event_count})
        else:
            taken = "taken for a program" if reply.is_bot else "taken for a person"
            RESULTS.print(f"{taken}; {reply.event_count:,} events are counted differently", highlight=False)
        return 0

    run(work)


def _need_somebody(visitor: str, user: str) -> None:
    if not visitor and not user:
        raise CommandFailed("say of whom: --visitor or --user", USAGE)


def _is_confirmed(whom: str) -> bool:
    try:
        return typer.confirm(f"Erase everything that is kept of {whom}? It cannot be undone", err=True)
    except typer.Abort:
        return False


async def _export(peer: UserDataGateway, visitor: str, user: str, file: BinaryIO) -> int:
    lines = 0
    async for part in peer.export(visitor, user):
        file.write(part)
        lines += part.count(b"\n")
    file.flush()
    return lines


def _show_profile(found: pb.GetUserProfileResponse) -> None:
    if found.behaviours:
        RESULTS.print(_behaviours(found.behaviours))
    else:
        RESULTS.print("nothing is known of this visitor")
    for name, ids in (("bought lately", found.purchased_product_ids), ("dismissed", found.dismissed_product_ids)):
        if ids:
            more = f" and {len(ids) - SHOWN_IDS:,} more" if len(ids) > SHOWN_IDS else ""
            RESULTS.print(plain(f"{name}: {', '.join(ids[:SHOWN_IDS])}{more}"), soft_wrap=True)
    for each in found.repeat_purchases[:SHOWN_IDS]:
        every = f", every {_time(each.mean_interval)}" if each.HasField("mean_interval") else ""
        text = f"bought again: {each.product_id}, {each.count:,} times{every}, last {_time(each.age)} ago"
        RESULTS.print(plain(text), soft_wrap=True)
    if found.is_bot:
        note("The visitor is taken for a program: what it does counts for nobody else.", "yellow")
    RESULTS.print(plain(f"{found.event_count:,} events", "dim"))


def _behaviours(behaviours: Iterable[Behaviour]) -> Table:
    table = Table(header_style="bold")
    table.add_column("did")
    table.add_column("with", overflow="fold")
    for name in ("units", "ago", "weight"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in behaviours:
        units = f"{each.quantity:,}" if each.quantity else ""
        what = plain(each.product_id or f"“{each.text}”")
        table.add_row(plain(action_name(each.type)), what, units, _time(each.age), f"{each.weight:+.3f}")
    return table


def _time(duration: Duration) -> str:
    seconds = duration.ToSeconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds} s"


def _show_receipt(receipt: pb.EraseUserResponse) -> None:
    table = Table(header_style="bold")
    table.add_column("erased from")
    table.add_column("records", justify="right")
    for store in receipt.stores:
        table.add_row(plain(store.name), f"{store.count:,}")
    RESULTS.print(table)
    RESULTS.print(plain(f"receipt {receipt.erasure_id}, {receipt.erase_time.ToJsonString()}"), soft_wrap=True)
    RESULTS.print(plain(f"gone from the disks by {receipt.purge_time.ToJsonString()}"), soft_wrap=True)
    for name, offset in (("statistics", receipt.statistics_offset), ("training examples", receipt.training_offset)):
        if offset:
            RESULTS.print(plain(f"consumers of {name} have applied it at offset {offset}", "dim"), soft_wrap=True)
