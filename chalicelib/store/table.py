"""The one table and its operations. Knows DynamoDB's formats and errors, but no aggregate.

Any operation raises TableUnavailable if DynamoDB does not answer.

Items are plain dicts of JSON types and (never empty) sets of strings; numbers come back as int.
`boto3` is imported when the first table is opened, so that `import app` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chalicelib.domain.failure import Failure

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

_MAX_INTEGER = 2**63
"""Larger integers are stored as floats."""


_THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)


class ConditionFailed(Exception):
    """A condition of a write does not hold. `items[i]`: the item that the i-th write met (or
    None).
    """

    def __init__(self, failed: Sequence[bool], items: Sequence[Item | None]) -> None:
        super().__init__("a condition of the write does not hold")
        self.failed, self.items = failed, items


class Contention(Failure):
    """Another transaction touched the same items at that moment: read and decide again."""

    code = "too_busy"
    retry_after_s = 1


class TableUnavailable(Failure):
    """DynamoDB cannot be reached, does not answer in time, or fails, after all retries. It is not
    known whether a write was made.
    """

    code = "unavailable"
    detail = (
        "The data store does not answer, so whether anything was done is not known: look, or send "
        "the request again; if it stays so, tell the operator."
    )
    logged_as = "table: %s"


@dataclass(frozen=True)
class Write:
    """One write of a transaction: a whole item put, an update, or a delete."""

    verb: str
    key_or_item: Item
    condition: str | None = None
    update: str | None = None
    names: dict[str, str] = field(default_factory=dict)
    values: Item = field(default_factory=dict)


def put(
    item: Item,
    condition: str | None = None,
    names: dict[str, str] | None = None,
    values: Item | None = None,
) -> Write:
    """Put a whole item."""
    return Write("Put", item, condition, None, names or {}, values or {})


def delete(
    pk: str,
    sk: str,
    condition: str | None = None,
    names: dict[str, str] | None = None,
    values: Item | None = None,
) -> Write:
    """Delete an item."""
    return Write("Delete", {"pk": pk, "sk": sk}, condition, None, names or {}, values or {})


def check(pk: str, sk: str, condition: str) -> Write:
    """Make a transaction depend on a condition of an item that it does not write."""
    return Write("ConditionCheck", {"pk": pk, "sk": sk}, condition)


def update(  # noqa: PLR0913 - DynamoDB's parts of an update
    pk: str,
    sk: str,
    expression: str,
    *,
    condition: str | None = None,
    names: dict[str, str] | None = None,
    values: Item | None = None,
) -> Write:
    """Change some attributes of an item."""
    return Write("Update", {"pk": pk, "sk": sk}, condition, expression, names or {}, values or {})


class Table:
    """A table with string keys `pk` and `sk` and the indexes of `infra/table.json`."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

        self._client, self.name = client, name
        self._serialize: Callable[[Any], Any] = TypeSerializer().serialize
        deserializer = TypeDeserializer()
        # 1e50 comes back in 51 digits, and boto3 reads no more than 38.
        deserializer._deserialize_n = Decimal  # type: ignore[attr-defined]
        self._deserialize: Callable[[Any], Any] = deserializer.deserialize

    def get(self, pk: str, sk: str) -> Item | None:
        """Return the item as last written (consistent read), or None."""
        with _answering():
            found = self._client.get_item(
                TableName=self.name, Key=self._marshal({"pk": pk, "sk": sk}), ConsistentRead=True
            )
        return self._unmarshal(found["Item"]) if "Item" in found else None

    def query(  # noqa: PLR0913 - DynamoDB's parameters of a query
        self,
        pk: str,
        *,
        index: tuple[str, str, str] | None = None,
        after: Item | None = None,
        sk_above: str | None = None,
        sk_begins: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        where: str | None = None,
        names: dict[str, str] | None = None,
        values: Item | None = None,
    ) -> tuple[list[Item], Item | None]:
        """Return one page of a partition, and the key to go on after it (None at the end).

        `index` is (index name, its partition key, its sort key); without it the read is consistent.
        `limit` counts items read, before `where` filters them. Of `sk_above` and `sk_begins` one is
        given at most.
        """
        index_name, pk_name, sk_name = index or (None, "pk", "sk")
        expression = "#pk = :pk" + ("" if sk_above is None else " AND #sk > :sk")
        expression += "" if sk_begins is None else " AND begins_with(#sk, :sk)"
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": expression,
            "ExpressionAttributeNames": {"#pk": pk_name, **(names or {})},
            "ExpressionAttributeValues": self._marshal({":pk": pk, **(values or {})}),
            "ScanIndexForward": not newest_first,
            "ConsistentRead": index is None,
        }
        sk = sk_above if sk_begins is None else sk_begins
        if sk is not None:
            request["ExpressionAttributeNames"]["#sk"] = sk_name
            request["ExpressionAttributeValues"].update(self._marshal({":sk": sk}))
        if index_name:
            request["IndexName"] = index_name
        if where:
            request["FilterExpression"] = where
        if limit:
            request["Limit"] = limit
        if after:
            request["ExclusiveStartKey"] = self._marshal(after)
        with _answering():
            page = self._client.query(**request)
        more = page.get("LastEvaluatedKey")
        return [self._unmarshal(item) for item in page["Items"]], self._unmarshal(
            more or {}
        ) or None

    def query_all(
        self,
        pk: str,
        *,
        index: tuple[str, str, str] | None = None,
        sk_begins: str | None = None,
    ) -> Iterator[Item]:
        """Yield every item of a partition, or those whose sort key begins with `sk_begins`, page by
        page.
        """
        after: Item | None = None
        while True:
            items, after = self.query(pk, index=index, after=after, sk_begins=sk_begins)
            yield from items
            if after is None:
                return

    def scan(self, sk: str | None = None, *, sk_begins: str | None = None) -> Iterator[Item]:
        """Yield every item of the table, or those whose sort key is `sk` or begins with
        `sk_begins`, in no order. Reads the whole table, so it is for operators only.
        """
        request: dict[str, Any] = {"TableName": self.name}
        if sk is not None:
            request["FilterExpression"] = "#sk = :sk"
            request["ExpressionAttributeNames"] = {"#sk": "sk"}
            request["ExpressionAttributeValues"] = self._marshal({":sk": sk})
        elif sk_begins is not None:
            request["FilterExpression"] = "begins_with(#sk, :sk)"
            request["ExpressionAttributeNames"] = {"#sk": "sk"}
            request["ExpressionAttributeValues"] = self._marshal({":sk": sk_begins})
        while True:
            with _answering():
                page = self._client.scan(**request)
            yield from map(self._unmarshal, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(self, *writes: Write) -> None:
        """Make all of the writes or none. Raises ConditionFailed if one loses, Contention on a
        collision.
        """
        if len(writes) == 1:
            self._write_one(writes[0])
            return
        exceptions = self._client.exceptions
        try:
            with _answering():
                self._client.transact_write_items(
                    TransactItems=[{w.verb: self._request(w)} for w in writes]  # type: ignore[misc]
                )
        except exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            failed = [reason.get("Code") == "ConditionalCheckFailed" for reason in reasons]
            if any(failed):
                items = [self._unmarshal(r["Item"]) if r.get("Item") else None for r in reasons]
                raise ConditionFailed(failed, items) from None
            raise Contention from None
        except exceptions.TransactionInProgressException:
            raise Contention from None

    def _write_one(self, write: Write) -> None:
        exceptions = self._client.exceptions
        verbs: dict[str, Any] = {
            "Put": self._client.put_item,
            "Update": self._client.update_item,
            "Delete": self._client.delete_item,
        }
        try:
            with _answering():
                verbs[write.verb](**self._request(write))
        except exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item")
            raise ConditionFailed([True], [self._unmarshal(item) if item else None]) from None
        except exceptions.TransactionConflictException:
            raise Contention from None

    def _request(self, write: Write) -> dict[str, Any]:
        target = "Item" if write.verb == "Put" else "Key"
        request: dict[str, Any] = {
            "TableName": self.name,
            target: self._marshal(write.key_or_item),
        }
        if write.condition:
            request["ConditionExpression"] = write.condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if write.update:
            request["UpdateExpression"] = write.update
        if write.names:
            request["ExpressionAttributeNames"] = write.names
        if write.values:
            request["ExpressionAttributeValues"] = self._marshal(write.values)
        return request

    def from_image(self, image: Mapping[str, Any]) -> Item:
        """Return an item that the table's stream brought."""
        return self._unmarshal(image)

    def _marshal(self, item: Item) -> dict[str, Any]:
        return {key: self._serialize(_storable(value)) for key, value in item.items()}

    def _unmarshal(self, item: Mapping[str, Any]) -> Item:
        return {key: _plain(self._deserialize(value)) for key, value in item.items()}


@contextmanager
def _answering() -> Iterator[None]:
    """Raise TableUnavailable for requests that get no answer, or one that blames DynamoDB
    itself.
    """
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NotConnected

    try:
        yield
    except (HTTPClientError, NotConnected) as error:
        raise TableUnavailable(str(error)) from error
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or error.response["Error"]["Code"] in _THROTTLED:
            raise TableUnavailable(str(error)) from error
        raise


def _storable(value: Any) -> Any:
    """Return a JSON value as DynamoDB takes it: floats become decimals (metadata may hold
    floats).
    """
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {key: _storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    """Return a value of DynamoDB as JSON: the inverse of `_storable`."""
    if isinstance(value, Decimal):
        whole = abs(value) < _MAX_INTEGER and value == value.to_integral_value()
        return int(value) if whole else float(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
