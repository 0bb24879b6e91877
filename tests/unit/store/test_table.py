"""Tests of the table's operations: types, pages, failed conditions, collisions."""

from __future__ import annotations

import socket

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.store.table import (
    ConditionFailed,
    Contention,
    Table,
    TableUnavailable,
    delete,
    put,
    update,
)
from tests.support.ports import free_port


def test_json_types_survive(table):
    item = {
        "pk": "types", "sk": "1", "text": "ä", "int": 7, "float": 1.25, "none": None, "yes": True,
        "list": [1, "a", {"b": 2.5}], "map": {"c": [False]},
    }  # fmt: skip
    table.write(put(item))
    assert table.get("types", "1") == item
    assert table.get("types", "2") is None


NUMBERS = st.one_of(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(1e-99, 1e99),
    st.floats(-1e99, -1e-99),
    st.sampled_from([1e50, -1e50, 1.5e99, 2.5e-99, 1e22, 2.0**63, 0.1]),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_every_number_that_metadata_may_hold_survives_repeated_round_trips(table, numbers):
    item = {"pk": "numbers", "sk": "1", "numbers": numbers}
    for _ in range(2):
        table.write(put(item))
        item = table.get("numbers", "1")
        found = item["numbers"]
        # A float comes back as the same decimal number, which for whole ones is an int.
        assert [float(n) for n in found] == [float(n) for n in numbers]
        assert all(a == b for a, b in zip(found, numbers, strict=True) if isinstance(b, int))
        numbers = found


def test_a_failed_condition_carries_the_present_item(table):
    table.write(put({"pk": "c", "sk": "1", "v": 1}))
    with pytest.raises(ConditionFailed) as lost:
        table.write(put({"pk": "c", "sk": "1", "v": 2}, "attribute_not_exists(pk)"))
    assert lost.value.items == [{"pk": "c", "sk": "1", "v": 1}]
    with pytest.raises(ConditionFailed) as lost:
        table.write(
            put({"pk": "c", "sk": "2"}),
            update("c", "1", "SET v = :n", condition="v = :o", values={":n": 3, ":o": 9}),
        )
    assert lost.value.failed == [False, True]
    assert lost.value.items[1]["v"] == 1
    assert table.get("c", "2") is None


def test_a_set_is_stored_without_order(table):
    def change(expression, *members):
        write = update(
            "set", "1", f"{expression} #s :s", names={"#s": "members"}, values={":s": set(members)}
        )
        table.write(write)

    change("ADD", "a", "b")
    change("ADD", "b", "c")
    assert table.get("set", "1")["members"] == {"a", "b", "c"}
    for members in ("a", "a", "b", "c", "nobody"):
        change("DELETE", members)
    assert table.get("set", "1") == {"pk": "set", "sk": "1"}
    change("DELETE", "a")


def test_a_partition_is_read_page_by_page_in_order(table):
    for n in range(7):
        table.write(put({"pk": "pages", "sk": f"{n}", "n": n}))
    first, more = table.query("pages", limit=3)
    second, _ = table.query("pages", limit=10, after=more)
    assert [item["n"] for item in first + second] == list(range(7))
    above, _ = table.query("pages", sk_above="4")
    assert [item["n"] for item in above] == [5, 6]
    newest, _ = table.query("pages", newest_first=True, limit=1)
    assert newest[0]["n"] == 6
    assert len(list(table.query_all("pages"))) == 7


def test_a_delete_heeds_its_condition(table):
    table.write(put({"pk": "d", "sk": "1"}))
    table.write(delete("d", "1", "attribute_exists(pk)"))
    with pytest.raises(ConditionFailed):
        table.write(delete("d", "1", "attribute_exists(pk)"))


class Colliding:
    """A client whose every write collides, in each of the ways in which DynamoDB says so."""

    def __init__(self, real, error, reasons=None):
        self.exceptions = real.exceptions
        made = getattr(real.exceptions, error)
        response = {"Error": {"Code": error, "Message": ""}, "CancellationReasons": reasons or []}
        self._raise = made(response, "Write")

    def _fail(self, **_):
        raise self._raise

    put_item = update_item = delete_item = transact_write_items = _fail


@pytest.mark.parametrize(
    ("error", "reasons", "writes"),
    [
        ("TransactionConflictException", None, 1),
        ("TransactionInProgressException", None, 2),
        ("TransactionCanceledException", [{"Code": "TransactionConflict"}, {"Code": "None"}], 2),
    ],
)
def test_collisions_are_distinguished_from_failed_conditions(table, error, reasons, writes):
    colliding = Table(Colliding(table._client, error, reasons), "t")
    with pytest.raises(Contention):
        colliding.write(*[put({"pk": "x", "sk": str(n)}) for n in range(writes)])


def unreachable(url):
    """A table of which DynamoDB is said to be at `url`."""
    impatient = Config(connect_timeout=0.3, read_timeout=0.3, retries={"total_max_attempts": 1})
    client = boto3.client(
        "dynamodb", endpoint_url=url, region_name="eu-west-1", config=impatient,
        aws_access_key_id="x", aws_secret_access_key="x",
    )  # fmt: skip
    return Table(client, "chamade")


VERBS = {
    "get": lambda table: table.get("a", "1"),
    "query": lambda table: table.query("a"),
    "write one": lambda table: table.write(put({"pk": "a", "sk": "1"})),
    "write two": lambda table: table.write(delete("a", "1"), delete("a", "2")),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_table_that_cannot_be_reached_or_stays_silent_is_unavailable(verb):
    with pytest.raises(TableUnavailable):
        verb(unreachable(f"http://127.0.0.1:{free_port()}"))
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TableUnavailable):
        verb(unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}"))


@pytest.mark.parametrize(
    ("code", "status"),
    [("InternalServerError", 500), ("ServiceUnavailable", 503), ("ThrottlingException", 400)],
)
def test_server_errors_of_the_table_are_unavailable(code, status):
    table = unreachable("http://127.0.0.1:1")
    with Stubber(table._client) as stubbed:
        stubbed.add_client_error("get_item", code, http_status_code=status)
        with pytest.raises(TableUnavailable):
            table.get("a", "1")


def test_an_invalid_request_is_not_reported_as_unavailable():
    table = unreachable("http://127.0.0.1:1")
    with Stubber(table._client) as stubbed:
        stubbed.add_client_error("get_item", "ValidationException", http_status_code=400)
        with pytest.raises(table._client.exceptions.ClientError):
            table.get("a", "1")
