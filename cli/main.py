"""The command line: which command is where."""

import typer

from cli.import_command import import_products
from cli.product_commands import delete, show
from cli.search_command import search
from cli.stack_commands import demo, up
from cli.trace_command import trace

app = typer.Typer(
    name="zhiyin",
    help="Search and recommendation for online shops.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(demo)
app.command("import")(import_products)
app.command()(search)
app.command()(show)
app.command()(delete)
app.command()(trace)
