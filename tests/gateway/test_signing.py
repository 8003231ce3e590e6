from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import TimestampSigner

from services.common.settings import SigningSettings
from services.gateway.adapters.signing import TokenSigner


@pytest.mark.parametrize(("age", "is_valid"), [(-30, True), (-300, False), (0, True), (59, True), (61, False)])
def test_a_token_of_a_replica_whose_clock_is_ahead_is_valid_and_an_old_one_is_not(monkeypatch, age, is_valid):
    signer = TokenSigner(SigningSettings(signing_key="k" * 32))
    moment = int((datetime.now(UTC) - timedelta(seconds=age)).timestamp())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: moment)
    token = signer.sign("page", b"data")
    assert (signer.verify("page", token, 60) == b"data") is is_valid
