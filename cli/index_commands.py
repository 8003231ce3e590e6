"""`zhiyin index ...`: the versions of a catalogue's index."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import typer

from cli.admin_gateway import IndexGateway
from cli.gateway import connected
from cli.index_following import fault_count, followed, is_whole, verified
from cli.index_report import as_dict, show_findings, show_version, show_versions
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, PatienceOption, TimeoutOption
from cli.output import note, write_json
from cli.patience import Patience
from cli.progress import progress_shown
from cli.running import FAILED, run
from zhiyin.common.v1.index_version_pb2 import IndexVersion, IndexVersionState, VerifyMode

SECONDS: Final = 60.0
"""Activating and verifying may take long."""
index = typer.Typer(
    help="Versions of a catalogue's index: build beside the active one, switch, go back, verify.", no_args_is_help=True
)

NumberArgument = Annotated[int, typer.Argument(help="Number of the version.", min=1, show_default=False)]
AnyNumberArgument = Annotated[
    int, typer.Argument(help="Number of the version; 0 = the active one.", min=0, show_default=False)
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Follow it to its end. Ctrl-C only stops following; `status --wait` goes on.")
]
Change = Callable[[IndexGateway], Awaitable[IndexVersion]]


@index.command("list")
def list_versions(
    *,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """List the versions, latest first."""

    async def work() -> int:
        async with connected(IndexGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            versions = await peer.versions()
        if as_json:
            write_json({"versions": [as_dict(version) for version in versions]})
        else:
            show_versions(versions)
        return 0

    run(work)


@index.command()
def create(
    *,
    model: Annotated[
        str, typer.Option("--model", help="Revision of the model, or its first digits; else the encoders' only one.")
    ] = "",
    wait: WaitOption = False,
    patience: PatienceOption = 60.0,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Build a version beside the active one, which goes on answering.

    Can be repeated: a version that is being built by the same model is taken up.
    """
    run(lambda: _changed(gateway, catalog, timeout, patience if wait else None, lambda g: g.create(model), as_json))


@index.command()
def status(
    number: AnyNumberArgument = 0,
    *,
    wait: WaitOption = False,
    patience: PatienceOption = 60.0,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Show a version and how far it is, whoever began to build it."""
    run(lambda: _changed(gateway, catalog, timeout, patience if wait else None, lambda g: g.version(number), as_json))


@index.command()
def rebuild(
    number: AnyNumberArgument = 0,
    *,
    wait: WaitOption = False,
    patience: PatienceOption = 60.0,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Index every product again; also brings back an index that was lost."""
    run(lambda: _changed(gateway, catalog, timeout, patience if wait else None, lambda g: g.rebuild(number), as_json))


@index.command()
def activate(
    number: NumberArgument,
    *,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Have searches use a version, in one atomic step."""
    run(lambda: _changed(gateway, catalog, timeout, None, lambda g: g.activate(number), as_json))


@index.command()
def rollback(
    *,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Activate the version that was active before."""
    run(lambda: _changed(gateway, catalog, timeout, None, IndexGateway.roll_back, as_json))


@index.command()
def delete(
    number: NumberArgument,
    *,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Remove a version that is not active, and its collection."""
    run(lambda: _changed(gateway, catalog, timeout, None, lambda g: g.delete(number), as_json))


@index.command()
def verify(
    number: AnyNumberArgument = 0,
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Have what is found indexed again or removed; the status is then 0.")
    ] = False,
    patience: PatienceOption = 60.0,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Compare catalogue and index. Exit status 1: they differ."""

    async def work() -> int:
        mode = VerifyMode.VERIFY_MODE_REPAIR if repair else VerifyMode.VERIFY_MODE_REPORT
        waiting = Patience(patience)
        async with connected(IndexGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            version = await peer.version(number)
            with progress_shown("products and points") as show:
                findings = await verified(peer, version, mode, waiting, show)
        if as_json:
            write_json({"version": version.number, "repaired": repair, "findings": as_dict(findings)})
        else:
            show_findings(findings, version.number, repairs=repair)
        return FAILED if fault_count(findings) and not repair else 0

    run(work)


async def _changed(
    target: str, catalog: str, seconds: float, patience: float | None, change: Change, as_json: bool
) -> int:
    """Makes a change, follows it where there is patience for it, shows the version, and returns the exit status."""
    async with connected(IndexGateway, target, catalog=catalog, seconds=seconds) as peer:
        if patience is None:
            version = await change(peer)
        else:
            waiting = Patience(patience)
            begun = await waiting.call(lambda: change(peer))
            version = await _followed(peer, begun.number, waiting)
    if as_json:
        write_json({"version": as_dict(version)})
    else:
        show_version(version)
        if version.state == IndexVersionState.INDEX_VERSION_STATE_BUILDING:
            note(f"It is being built: zhiyin index status {version.number} --wait follows it.", "dim")
    return 0 if patience is None or (is_whole(version) and not version.failed_count) else FAILED


async def _followed(peer: IndexGateway, number: int, patience: Patience) -> IndexVersion:
    with progress_shown("products") as show:
        return await followed(lambda: peer.version(number), patience, show)
