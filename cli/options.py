"""Options that several commands share, so that they read the same everywhere."""

from typing import Annotated, Final

import typer

DEFAULT_GATEWAY: Final = "127.0.0.1:50050"

GatewayOption = Annotated[
    str, typer.Option("--gateway", envvar="ZHIYIN_GATEWAY", help="Address of the gateway, host:port or a gRPC target.")
]
CatalogOption = Annotated[str, typer.Option("--catalog", help="Catalogue to work on.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout instead of tables; everything else goes to stderr.")
]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0.01, help="Seconds that one call may take.")]
PatienceOption = Annotated[
    float, typer.Option("--patience", min=0, help="Seconds to go on trying while the gateway is away or overloaded.")
]
