import pytest

from tests.support.http import serving


@pytest.fixture
def api(world, monkeypatch):
    """The application behind HTTP."""
    with serving(world, monkeypatch) as served:
        yield served
