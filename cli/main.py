"""The command line: which command is where."""

import typer

from cli.backup_command import backup, restore
from cli.import_command import import_products
from cli.index_commands import index
from cli.list_command import list_products
from cli.offer_commands import offers
from cli.product_commands import delete, show
from cli.search_command import search, similar
from cli.settings_commands import settings
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
app.command()(similar)
app.command("list")(list_products)
app.command()(show)
app.command()(delete)
app.add_typer(offers, name="offers")
app.add_typer(settings, name="settings")
app.add_typer(index, name="index")
app.add_typer(backup, name="backup")
app.command()(restore)
app.command()(trace)
