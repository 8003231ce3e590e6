"""The command line: which command is where."""

import typer

from cli.backup_command import backup, restore
from cli.event_commands import event, stats
from cli.events_commands import events
from cli.import_command import import_products
from cli.index_commands import index
from cli.list_command import list_products
from cli.offer_commands import offers
from cli.product_commands import delete, show
from cli.recommend_command import recommend
from cli.search_command import search, similar
from cli.settings_commands import settings
from cli.stack_commands import demo, up
from cli.trace_command import trace
from cli.user_commands import erase, export_user, profile, visitor_kind

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
app.command()(recommend)
app.command()(event)
app.add_typer(events, name="events")
app.command()(stats)
app.command()(profile)
app.command("export-user")(export_user)
app.command()(erase)
app.command("visitor-kind")(visitor_kind)
app.command("list")(list_products)
app.command()(show)
app.command()(delete)
app.add_typer(offers, name="offers")
app.add_typer(settings, name="settings")
app.add_typer(index, name="index")
app.add_typer(backup, name="backup")
app.command()(restore)
app.command()(trace)
