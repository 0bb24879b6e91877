"""What the world's numbering plans say of a number (Google's libphonenumber).

The library loads at the first dial, 45 ms, never at import: webhooks and the rest do not need it.
"""

from __future__ import annotations

from chalicelib.domain.dialling import NumberFacts

_WORLD = "001"
"""libphonenumber's region of ranges that belong to no country."""


def facts_of(e164: str) -> NumberFacts:
    """Whether the number is allocated, its country and its kind.

    libphonenumber reads past a national prefix behind the country code (+33 06…). Dialled would be
    what is written, so only what it would write itself is valid: each number in one form.
    """
    import phonenumbers

    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return NumberFacts(valid=False, country=None, kind="unknown")
    region = phonenumbers.region_code_for_number(number)
    kind = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number))
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return NumberFacts(
        valid=phonenumbers.is_valid_number(number) and written == e164,
        country=None if region == _WORLD else region,
        kind=kind.lower(),
    )


def home_country(e164: str) -> str | None:
    """The country of a number of one's own; of its country code if the plan does not know it."""
    import phonenumbers

    country = facts_of(e164).country
    if country is not None:
        return country
    try:
        code = phonenumbers.parse(e164).country_code
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_country_code(code or 0)
    return region if len(region) == 2 and region != "ZZ" else None
