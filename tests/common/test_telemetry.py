import io
import json
import logging

from opentelemetry.sdk.trace import TracerProvider

from services.common.telemetry import _LogFormatter


def logged(action):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_LogFormatter("encoder"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    action(logger)
    return json.loads(stream.getvalue())


def test_a_log_line_is_json_and_carries_the_trace():
    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        line = logged(lambda logger: logger.info("serving", extra={"address": "127.0.0.1:1"}))
    assert line["message"] == "serving"
    assert line["address"] == "127.0.0.1:1"
    assert line["service"] == "encoder"
    assert line["severity"] == "INFO"
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert line["span_id"] == f"{span.get_span_context().span_id:016x}"


def test_an_exception_is_logged_by_type_and_place_without_what_it_says():
    def fail(logger):
        try:
            try:
                raise KeyError("红色连衣裙")
            except KeyError as exc:
                raise ValueError("query was: red dress") from exc
        except ValueError:
            logger.exception("unhandled error")

    line = logged(fail)
    assert "builtins.ValueError" in line["exc_info"]
    assert "builtins.KeyError" in line["exc_info"]
    assert "in fail" in line["exc_info"]
    assert "dress" not in json.dumps(line)
    assert "连衣裙" not in json.dumps(line, ensure_ascii=False)
