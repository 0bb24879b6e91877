"""Facts about numbers in the world's numbering plans (Google's libphonenumber).

The library is imported at the first dial, or the first caller whose number does not come as E.164,
which takes 45 ms: nothing else needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.domain.did import Did
from chalicelib.domain.toll_guard import NumberingFacts
from chalicelib.domain.trunk import Trunk

_WORLD = "001"
"""libphonenumber's region of ranges that belong to no country."""
_NOWHERE = "ZZ"
"""libphonenumber's region of codes that are not assigned."""


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


def plans_of(trunk: Trunk, dids: Iterable[Did]) -> DialledIn:
    """Return the plans of the trunk's country: the one that is set, or that of its caller ID, or of
    all its numbers.
    """
    if trunk.country is not None:
        return DialledIn(trunk.country)
    if trunk.caller_id is not None:
        return DialledIn.with_numbers([trunk.caller_id])
    return DialledIn.with_numbers(did.e164 for did in dids)


def is_country(region: str) -> bool:
    """Return whether the plans know a country (ISO 3166 alpha-2)."""
    import phonenumbers

    return region in phonenumbers.SUPPORTED_REGIONS


def home_country(e164: str) -> str | None:
    """Return the country of a number; the main country of its code if the plan does not know it."""

    return facts_of(e164).country or _main_country(_code_of(e164))


def _code_of(e164: str) -> int | None:
    import phonenumbers

    try:
        return phonenumbers.parse(e164).country_code
    except phonenumbers.NumberParseException:
        return None


def _main_country(code: int | None) -> str | None:
    """Return the country of a country code, the largest if several share it."""
    import phonenumbers

    region = phonenumbers.region_code_for_country_code(code or 0)
    return None if region in (_WORLD, _NOWHERE) else region


@dataclass(frozen=True)
class DialledIn:
    """The world's numbering plans, as a country dials them (ISO 3166; None: it is not known)."""

    country: str | None

    @classmethod
    def with_numbers(cls, numbers: Iterable[str]) -> DialledIn:
        """Return the plans of the country that all these numbers (E.164) are of."""
        codes = {_code_of(number) for number in numbers}
        return cls(_main_country(codes.pop()) if len(codes) == 1 else None)

    def national(self, e164: str) -> str | None:
        """Return how the number is dialled in the country: its digits with the national prefix.
        None if it is of another country's plan, or if a carrier could read it as another number.
        """
        import phonenumbers

        if self.country is None or not self.is_allocated(e164):
            return None
        number = phonenumbers.parse(e164)
        if number.country_code != phonenumbers.country_code_for_region(self.country):
            return None
        text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        digits = "".join(char for char in text if char.isdecimal())
        return digits if self.dialled(digits) == e164 else None

    def is_allocated(self, e164: str) -> bool:
        """Return whether the number is allocated, in exactly this form."""
        return facts_of(e164).valid

    def dialled(self, written: str) -> str | None:
        """Return the allocated E.164 number that is dialled in this way, in the country or, for
        `tel:…;phone-context=+33`, in the country of that code.
        """
        import phonenumbers

        if self._begins_with_own_code(written) and self.is_allocated(f"+{written}"):
            return f"+{written}"
        try:
            number = phonenumbers.parse(written, self.country)
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_valid_number(number):
            return None
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def _begins_with_own_code(self, digits: str) -> bool:
        """Return whether the digits begin with the country's code, where national numbers begin
        with a prefix: 4915112345678 is not (0)4915 112345678 in Germany.
        """
        import phonenumbers

        if self.country is None:
            return False
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(self.country)
        code = str(phonenumbers.country_code_for_region(self.country))
        return bool(metadata and metadata.national_prefix) and digits.startswith(code)
