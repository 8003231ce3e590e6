"""Index versions and what a verification found, shown to people or as JSON."""

from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text

from cli.index_following import fault_count
from cli.output import RESULTS, note, plain
from zhiyin.common.v1.index_version_pb2 import IndexFindings, IndexVersion, IndexVersionState

SHOWN_DIGITS: Final = 12
"""Of a model's revision: more than enough to name it by."""
_STYLES: Final = {"active": "green", "building": "yellow"}


def as_dict(message: Message) -> dict[str, Any]:
    """A message in its proto JSON form, with the field names of the proto and all counts."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def show_versions(versions: Sequence[IndexVersion]) -> None:
    """A table, latest first."""
    if not versions:
        RESULTS.print("there is no index version yet: the first import makes one")
        return
    table = Table(header_style="bold")
    for title in ("#", "state", "model", "products", "pending", "failed", "made (UTC)"):
        table.add_column(title, justify="left" if title in {"state", "model"} else "right", no_wrap=title != "model")
    for version in versions:
        counts = (version.product_count, version.pending_count + version.words_only_count, version.failed_count)
        table.add_row(
            str(version.number),
            _state(version),
            plain(_model(version)),
            *(f"{count:,}" for count in counts),
            version.create_time.ToDatetime().strftime("%Y-%m-%d %H:%M"),
        )
    RESULTS.print(table)


def show_version(version: IndexVersion) -> None:
    """One version, field by field."""
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in (
        ("version", str(version.number)),
        ("state", _state(version)),
        ("model", plain(f"{_model(version)}, {version.model.dims} dimensions")),
        ("analyser", str(version.analyser_version)),
        ("settings", str(version.settings_version or "none")),
        ("products", f"{version.product_count:,}"),
        ("pending", f"{version.pending_count:,}"),
        ("words only", f"{version.words_only_count:,}"),
        ("failed", f"{version.failed_count:,}"),
        ("made", _time(version.create_time)),
        ("active since", _time(version.activate_time) if version.HasField("activate_time") else "never"),
    ):
        table.add_row(name, value)
    RESULTS.print(table)
    if version.words_only_count:
        note("words only: found by words, their vectors wait for the encoder", "yellow")
    if version.failed_count:
        note("failed: refused by the index; tried again when they change, or by `zhiyin index rebuild`", "yellow")


def show_findings(findings: IndexFindings, number: int, *, repairs: bool) -> None:
    """What a verification found, in a few lines."""
    RESULTS.print(f"version {number}: {findings.checked_count:,} products and points looked at", highlight=False)
    counts = (
        (findings.missing_count, "missing: products that the index lacks"),
        (findings.extra_count, "extra: points of products that do not exist"),
        (findings.stale_count, "stale: points of another version of their product or its offers"),
    )
    for count, what in counts:
        RESULTS.print(f"  {count:>8,} {what}", highlight=False)
    if findings.sample_product_ids:
        RESULTS.print(plain(f"  such as {', '.join(findings.sample_product_ids)}"), soft_wrap=True)
    if fault_count(findings):
        told = "They are being repaired." if repairs else "`zhiyin index verify --repair` repairs them."
        note(told, "yellow")
    else:
        note("Catalogue and index are the same.", "green")


def _state(version: IndexVersion) -> Text:
    name = IndexVersionState.Name(version.state).removeprefix("INDEX_VERSION_STATE_").lower()
    return plain(name, _STYLES.get(name, ""))


def _model(version: IndexVersion) -> str:
    return f"{version.model.name} {version.model.revision[:SHOWN_DIGITS]}"


def _time(timestamp: Timestamp) -> str:
    return timestamp.ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC")
