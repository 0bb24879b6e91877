from __future__ import annotations

import pytest

from tests.unit.sip.network import Network


@pytest.fixture
def net() -> Network:
    return Network()
