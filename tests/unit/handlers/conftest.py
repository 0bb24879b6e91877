import json

import pytest
from pydantic import ValidationError

from chalicelib.handlers.operation import Operation
from tests.support.http import TRUNK, serving


@pytest.fixture
def api(world, monkeypatch):
    """The application behind HTTP."""
    with serving(world, monkeypatch) as served:
        yield served


@pytest.fixture
def connected(api):
    """A trunk that is there; its view."""
    return api.call("PUT", "/api/trunk", TRUNK).json_body


@pytest.fixture(autouse=True)
def answers_as_described(monkeypatch):
    """Every answer of every operation has the shape that the description promises."""
    perform = Operation.perform

    def checked(self, *args, **more):
        status, content = perform(self, *args, **more)
        if content is None:
            assert (self.answer, status) == (None, self.status)
        else:
            assert self.answer is not None, f"{self.name} promises no content"
            try:
                self.answer.model_validate_json(json.dumps(content), strict=True)
            except ValidationError as drift:
                raise AssertionError(f"{self.name} answers otherwise: {drift}") from drift
        return status, content

    monkeypatch.setattr(Operation, "perform", checked)


@pytest.fixture
def once(api):
    """A POST with an Idempotency-Key."""

    def post(path, body, key="a key of ours", **more):
        return api.call("POST", path, body, **{"Idempotency-Key": key.replace(" ", "-")}, **more)

    return post
