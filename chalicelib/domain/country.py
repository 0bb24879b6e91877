"""Countries as requests name them: two letters of ISO 3166."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)


def parse_country(text: str) -> str:
    """Return the country. Raises ValueError unless it is two capital letters."""
    if not _COUNTRY.fullmatch(text):
        raise ValueError("a country is two capital letters of ISO 3166, as in FR")
    return text


Country = Annotated[
    str,
    AfterValidator(parse_country),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"}),
]
"""Type of a model's field."""

CountryOfAnyCase = Annotated[
    str,
    StringConstraints(to_upper=True),
    AfterValidator(parse_country),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]{2}$"}),
]
"""Type of a model's field: takes small letters, too."""
