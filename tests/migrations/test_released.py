"""The files of migrations: what was released stays, and there is one way from the first to the last."""

import pytest
from alembic.script import ScriptDirectory

from tests.migrations.released import digest, freeze, migrations, released

each_service = pytest.mark.parametrize("directory", migrations().values(), ids=migrations())


@each_service
def test_a_released_migration_is_never_edited_or_removed(directory):
    for name, expected in released(directory).scripts.items():
        assert digest(directory / "versions" / name) == expected, f"{name} was released: add a migration"


@each_service
def test_migrations_are_one_chain_and_the_released_ones_come_first(directory):
    scripts = ScriptDirectory(str(directory))
    chain = list(scripts.walk_revisions())[::-1]
    assert len(scripts.get_heads()) == 1
    assert [script.down_revision for script in chain] == [None, *(script.revision for script in chain[:-1])]
    names = [script.path.rpartition("/")[2] for script in chain]
    assert names == sorted(names)
    frozen = released(directory)
    assert names[: len(frozen.scripts)] == sorted(frozen.scripts)
    assert chain[len(frozen.scripts) - 1].revision == frozen.head


def test_freezing_notes_the_head_and_every_script_and_ends_the_exceptions(tmp_path):
    (tmp_path / "versions").mkdir()
    for revision, before in (("0001", None), ("0002", "0001")):
        script = f"revision = {revision!r}\ndown_revision = {before!r}\n"
        (tmp_path / f"versions/{revision}_x.py").write_text(script)
    (tmp_path / "contractions.json").write_text("{}")
    freeze(tmp_path)
    assert released(tmp_path).head == "0002"
    assert sorted(released(tmp_path).scripts) == ["0001_x.py", "0002_x.py"]
    assert not (tmp_path / "contractions.json").exists()
