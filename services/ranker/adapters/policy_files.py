"""Policies from files: `<name>.json`, one document each."""

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.common.settings import SettingsError
from services.ranker.policy_book import DEFAULT_RECOMMEND, DEFAULT_SEARCH, POLICY, Policy

SHIPPED: Final = Path(__file__).parent.parent / "policies"


def read_policies(directory: Path | None) -> dict[str, Policy]:
    """The shipped policies, and those of `directory`, which replace shipped ones of the same name.

    Raises:
        SettingsError: a file cannot be read, is no valid policy, or is named otherwise than the policy in it.
    """
    if directory is not None and not directory.is_dir():
        raise SettingsError(f"ZHIYIN_POLICY_DIRECTORY={directory}: there is no such directory")
    policies = _policies_in(SHIPPED) | ({} if directory is None else _policies_in(directory))
    for name in (DEFAULT_SEARCH, DEFAULT_RECOMMEND):
        if name not in policies:
            raise SettingsError(f"{SHIPPED} holds no policy `{name}`: the installation is not complete")
    return policies


def _policies_in(directory: Path) -> dict[str, Policy]:
    return {path.stem: _policy(path) for path in sorted(directory.glob("*.json"))}


def _policy(path: Path) -> Policy:
    try:
        policy = POLICY.validate_json(path.read_bytes())
    except OSError as exc:
        raise SettingsError(f"{path}: cannot be read: {exc.strerror}") from exc
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in exc.errors())
        raise SettingsError(f"{path}: {faults}") from exc
    if policy.name != path.stem:
        raise SettingsError(f"{path}: name: must be the name of the file, `{path.stem}`")
    return policy
