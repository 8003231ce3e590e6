"""`zhiyin settings ...`: what a shop decides about a catalogue."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from cli.admin_gateway import IndexGateway, SettingsGateway
from cli.gateway import connected
from cli.index_report import as_dict
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, PatienceOption, TimeoutOption
from cli.output import RESULTS, note, plain, write_json
from cli.patience import Patience
from cli.progress import progress_shown
from cli.running import FAILED, CommandFailed, describe, run
from cli.settings_file import read_settings, type_name, use_name
from cli.settings_following import settled
from services.common.errors import Aborted
from zhiyin.common.v1.catalog_settings_pb2 import AttributeDeclaration, CatalogSettings, CatalogSettingsState

SECONDS: Final = 30.0
settings = typer.Typer(
    help="Settings of a catalogue: which attributes are searched, filtered and counted.", no_args_is_help=True
)


@settings.command()
def show(
    *,
    version: Annotated[int, typer.Option("--version", min=0, help="Version; 0 = the latest.")] = 0,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Show the settings. What --json prints can be changed and given to `set`."""

    async def work() -> int:
        async with connected(SettingsGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            found = await peer.settings(version)
        if as_json:
            write_json(as_dict(found))
        else:
            _show(found)
        return 0

    run(work)


@settings.command("set")
def set_settings(
    file: Annotated[Path, typer.Argument(help="The settings, whole, as JSON; see cli/README.md.", show_default=False)],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Come back when searches go by them.")] = False,
    patience: PatienceOption = 60.0,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Make a new version of the settings. With the `etag` of `show` it is refused if somebody else made one since."""

    async def work() -> int:
        wanted = read_settings(file)
        async with connected(SettingsGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            before = await peer.settings()
            made = await _update(peer, wanted)
            if not as_json:
                _show_changes(before, made)
            if wait:
                made = await _settled(peer, made.version, Patience(patience), (gateway, catalog, timeout))
        if as_json:
            write_json(as_dict(made))
        else:
            note(_state(made), "" if _is_in_force(made) else "yellow")
        return 0 if _is_in_force(made) or not wait else FAILED

    run(work)


@settings.command()
def history(
    *,
    count: Annotated[int, typer.Option("--count", min=1, max=100, help="Versions to show, the latest ones.")] = 20,
    before: Annotated[int, typer.Option("--before", min=0, help="Only versions before this one.")] = 0,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """List the versions of the settings, latest first, each with what it changed."""

    async def work() -> int:
        async with connected(SettingsGateway, gateway, catalog=catalog, seconds=timeout) as peer:
            # One more than is shown: the last one's changes are told from the one before.
            versions = await peer.history(min(count + 1, 100), before)
        if as_json:
            write_json({"settings": [as_dict(version) for version in versions[:count]]})
        else:
            _show_history(versions, count)
        return 0

    run(work)


async def _update(peer: SettingsGateway, wanted: CatalogSettings) -> CatalogSettings:
    try:
        return await peer.update(wanted)
    except Aborted as exc:
        advice = "somebody changed the settings meanwhile: `zhiyin settings show --json` and repeat your change on that"
        raise CommandFailed(f"{describe(exc)}\n{advice}") from exc


async def _settled(
    peer: SettingsGateway, version: int, patience: Patience, place: tuple[str, str, float]
) -> CatalogSettings:
    target, catalog, seconds = place
    async with connected(IndexGateway, target, catalog=catalog, seconds=seconds) as index:
        with progress_shown("products") as show_progress:
            return await settled(peer, index, version, patience, show_progress)


def _show(found: CatalogSettings) -> None:
    if not found.version:
        RESULTS.print("the catalogue has no settings yet: no attribute is declared")
        return
    RESULTS.print(plain(_state(found), "bold"), soft_wrap=True)
    table = Table(header_style="bold")
    for title in ("attribute", "type", "unit", "uses"):
        table.add_column(title)
    for declared in found.attributes:
        uses = ", ".join(use_name(use) for use in declared.uses)
        table.add_row(plain(declared.name), type_name(declared.type), plain(declared.unit), uses)
    RESULTS.print(table)


def _show_changes(before: CatalogSettings, after: CatalogSettings) -> None:
    if before.version == after.version:
        RESULTS.print(f"nothing changed: version {after.version} stays", highlight=False)
        return
    for line in changes(before, after):
        RESULTS.print(line, soft_wrap=True)


def _show_history(versions: Sequence[CatalogSettings], count: int) -> None:
    if not versions:
        RESULTS.print("the catalogue has no settings yet")
    for position, version in enumerate(versions[:count]):
        RESULTS.print(plain(_state(version), "bold"), soft_wrap=True)
        older = versions[position + 1] if position + 1 < len(versions) else None
        if older is not None or version.version == 1:
            for line in changes(older or CatalogSettings(), version):
                RESULTS.print(Text("  ").append_text(line), soft_wrap=True)


def changes(before: CatalogSettings, after: CatalogSettings) -> Iterator[Text]:
    """What one version changes of another, one attribute a line: `+ size: number, cm; filterable`."""
    old = {declared.name: _described(declared) for declared in before.attributes}
    new = {declared.name: _described(declared) for declared in after.attributes}
    for name, description in new.items():
        if name not in old:
            yield plain(f"+ {name}: {description}", "green")
        elif old[name] != description:
            yield plain(f"~ {name}: {description}", "yellow")
    for name in old:
        if name not in new:
            yield plain(f"- {name}", "red")


def _described(declared: AttributeDeclaration) -> str:
    unit = f", {declared.unit}" if declared.unit else ""
    return f"{type_name(declared.type)}{unit}; {', '.join(use_name(use) for use in declared.uses)}"


def _state(found: CatalogSettings) -> str:
    name = CatalogSettingsState.Name(found.state).removeprefix("CATALOG_SETTINGS_STATE_").lower().replace("_", " ")
    made = found.create_time.ToDatetime().strftime(", made %Y-%m-%d %H:%M:%S UTC")
    return f"version {found.version}: {name}{made if found.HasField('create_time') else ''}"


def _is_in_force(found: CatalogSettings) -> bool:
    return found.state == CatalogSettingsState.CATALOG_SETTINGS_STATE_IN_FORCE
