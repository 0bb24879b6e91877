"""Facts about numbers in the world's numbering plans (Google's libphonenumber).

The library is imported at the first dial, which takes 45 ms: nothing else needs it.
"""

from __future__ import annotations

from chalicelib.domain.toll_guard import NumberingFacts

_WORLD = "001"
"""libphonenumber's region of ranges that belong to no country."""


def facts_of(e164: str) -> NumberingFacts:
    """Return whether the number is allocated, its country and its kind.

    libphonenumber ignores a national prefix after the country code (+33 06…), but we would dial it.
    So a number is valid only in the one form in which libphonenumber writes it.
    """
    import phonenumbers

    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return NumberingFacts(valid=False, country=None, kind="unknown")
    region = phonenumbers.region_code_for_number(number)
    kind = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number))
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return NumberingFacts(
        valid=phonenumbers.is_valid_number(number) and written == e164,
        country=None if region == _WORLD else region,
        kind=kind.lower(),
    )


def home_country(e164: str) -> str | None:
    """Return the country of a number; the main country of its code if the plan does not know it."""
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
