"""What a record weighs while it is open, since memory is bounded by it (G10)."""

from pipeline.records import Record


def test_a_record_weighs_its_key_value_and_headers() -> None:
    assert Record("t", 0, 0).size == 0
    assert Record("t", 0, 0, key=b"key", value=b"value").size == 8
    assert Record("t", 0, 0, value=b"value", headers=(("name", b"x" * 1_000), ("flag", None))).size == 1_013
