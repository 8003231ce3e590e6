import pytest

from services.common.settings import ServiceSettings, SettingsError, SigningSettings, load


class BothSettings(ServiceSettings, SigningSettings):
    pass


def test_all_bad_values_are_reported_at_once_and_none_is_repeated(monkeypatch):
    monkeypatch.setenv("ZHIYIN_DRAIN_SECONDS", "-1")
    monkeypatch.setenv("ZHIYIN_LOG_LEVEL", "LOUD")
    monkeypatch.setenv("ZHIYIN_SIGNING_KEY", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load(BothSettings)
    report = str(caught.value)
    for variable in ("ZHIYIN_DRAIN_SECONDS", "ZHIYIN_LOG_LEVEL", "ZHIYIN_SIGNING_KEY"):
        assert variable in report
    assert "hunter2" not in report
    assert "LOUD" not in report


def test_a_missing_value_is_named(monkeypatch):
    monkeypatch.delenv("ZHIYIN_SIGNING_KEY", raising=False)
    with pytest.raises(SettingsError, match="ZHIYIN_SIGNING_KEY: Field required"):
        load(SigningSettings)


def test_the_collector_is_named_by_opentelemetrys_own_variable(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    assert load(ServiceSettings).otlp_endpoint == "http://collector:4317"


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        ServiceSettings().bind = "0.0.0.0:1"


def test_secrets_are_not_shown(monkeypatch):
    monkeypatch.setenv("ZHIYIN_SIGNING_KEY", "k" * 32)
    assert "kkk" not in repr(load(SigningSettings))
