"""Secrets that must come back in clear (a trunk's password), sealed before they go into the table.

AES-256-GCM with a context as additional data: a text sealed for one trunk cannot be opened for
another. A
sealed text is versioned, `kf1.` (a key file's), `kms1.` (AWS KMS's) or `hk1.` (with a key derived
from secrets), and base64url between dots.
`cryptography` loads when the first secret is sealed or opened, never at import.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from chalicelib.domain.failure import Failure

KEY_BYTES, _NONCE_BYTES = 32, 12


class VaultUnavailable(Failure):
    """The key is not available: no such file, or KMS does not answer. The message holds no
    secret.
    """

    code = "vault_unavailable"
    logged_as = "vault: %s"


class BadSeal(Failure):
    """The text was not sealed by this vault, or for another context, or it was changed."""

    code = "vault_unavailable"
    logged_as = "vault: %s"


class Vault(Protocol):
    """A vault seals texts and opens them. The context is no secret; it must be the same both
    times.
    """

    def seal(self, plaintext: str, context: Mapping[str, str]) -> str:
        """Seal a text so that only this vault opens it, for this context. Raises
        VaultUnavailable.
        """

    def open(self, sealed: str, context: Mapping[str, str]) -> str:
        """Return what was sealed. Raises BadSeal, VaultUnavailable."""


class KeyFileVault:
    """A vault with the operator's own key: a file of 32 random bytes, read when first needed."""

    _PREFIX = "kf1"

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def seal(self, plaintext: str, context: Mapping[str, str]) -> str:
        """See `Vault`."""
        return _join(self._PREFIX, *_encrypt(self._key, plaintext, self._PREFIX, context))

    def open(self, sealed: str, context: Mapping[str, str]) -> str:
        """See `Vault`."""
        nonce, ciphertext = _split(sealed, self._PREFIX, 2)
        return _decrypt(self._key, nonce, ciphertext, self._PREFIX, context)

    @functools.cached_property
    def _key(self) -> bytes:
        try:
            key = self._path.read_bytes()
        except OSError as error:
            raise VaultUnavailable(f"key file: {error.strerror}") from None
        if len(key) != KEY_BYTES:
            raise VaultUnavailable(f"key file: {len(key)} bytes instead of {KEY_BYTES}")
        return key


class DerivedVault:
    """A vault with a key derived (HKDF-SHA256, RFC 5869) from a secret of the installation and a
    text that only the requester knows. Both are needed to open a sealed text.
    """

    _PREFIX = "hk1"

    def __init__(self, secret: str, known_to_the_asker: str) -> None:
        self._secret, self._known = secret, known_to_the_asker

    def seal(self, plaintext: str, context: Mapping[str, str]) -> str:
        """See `Vault`."""
        return _join(self._PREFIX, *_encrypt(self._key, plaintext, self._PREFIX, context))

    def open(self, sealed: str, context: Mapping[str, str]) -> str:
        """See `Vault`."""
        nonce, ciphertext = _split(sealed, self._PREFIX, 2)
        return _decrypt(self._key, nonce, ciphertext, self._PREFIX, context)

    @functools.cached_property
    def _key(self) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derive = HKDF(SHA256(), KEY_BYTES, salt=self._known.encode(), info=b"chamade sealed answer")
        return derive.derive(self._secret.encode())


class KmsVault:
    """A vault with a key in AWS KMS. Each secret has a data key, which only KMS can decrypt, and
    only with the context (which CloudTrail shows). The plaintext never goes to KMS.
    """

    _PREFIX = "kms1"

    def __init__(self, client: Callable[[], Any], key_id: str) -> None:
        """Take `client`, which makes a boto3 KMS client; it is called once, when first needed."""
        self._make_client, self._key_id = client, key_id

    def seal(self, plaintext: str, context: Mapping[str, str]) -> str:
        """See `Vault`."""
        made = self._ask(
            "generate_data_key",
            KeyId=self._key_id,
            KeySpec="AES_256",
            EncryptionContext=dict(context),
        )
        nonce, ciphertext = _encrypt(made["Plaintext"], plaintext, self._PREFIX, context)
        return _join(self._PREFIX, made["CiphertextBlob"], nonce, ciphertext)

    def open(self, sealed: str, context: Mapping[str, str]) -> str:
        """See `Vault`."""
        data_key, nonce, ciphertext = _split(sealed, self._PREFIX, 3)
        opened = self._ask(
            "decrypt",
            KeyId=self._key_id,
            CiphertextBlob=data_key,
            EncryptionContext=dict(context),
        )
        return _decrypt(opened["Plaintext"], nonce, ciphertext, self._PREFIX, context)

    @functools.cached_property
    def _client(self) -> Any:
        return self._make_client()

    def _ask(self, verb: str, **request: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, verb)(**request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("InvalidCiphertextException", "IncorrectKeyException"):
                raise BadSeal("KMS does not decrypt it") from None
            raise VaultUnavailable(f"KMS: {code}") from None
        except BotoCoreError as error:
            raise VaultUnavailable(f"KMS: {type(error).__name__}") from None


class Vaults:
    """Several vaults, while keys are being rotated: the first seals, each opens what it sealed."""

    def __init__(self, vaults: Sequence[Vault]) -> None:
        self._vaults = vaults

    def seal(self, plaintext: str, context: Mapping[str, str]) -> str:
        """See `Vault`."""
        return self._vaults[0].seal(plaintext, context)

    def open(self, sealed: str, context: Mapping[str, str]) -> str:
        """See `Vault`."""
        refused = BadSeal("there is no vault")
        for vault in self._vaults:
            try:
                return vault.open(sealed, context)
            except BadSeal as error:
                refused = error
        raise refused


def _encrypt(
    key: bytes, plaintext: str, prefix: str, context: Mapping[str, str]
) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    return nonce, AESGCM(key).encrypt(nonce, plaintext.encode(), _additional(prefix, context))


def _decrypt(
    key: bytes, nonce: bytes, ciphertext: bytes, prefix: str, context: Mapping[str, str]
) -> str:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(nonce, ciphertext, _additional(prefix, context)).decode()
    except (InvalidTag, ValueError):
        raise BadSeal("sealed with another key or for another context") from None


def _additional(prefix: str, context: Mapping[str, str]) -> bytes:
    return f"{prefix}.{json.dumps(context, sort_keys=True, default=dict)}".encode()


def _join(prefix: str, *parts: bytes) -> str:
    encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
    return ".".join([prefix, *encoded])


def _split(sealed: str, prefix: str, count: int) -> list[bytes]:
    found, *parts = sealed.split(".")
    if found != prefix or len(parts) != count:
        raise BadSeal(f"not sealed by this vault: {prefix} is wanted")
    try:
        return [base64.urlsafe_b64decode(f"{part}{'=' * (-len(part) % 4)}") for part in parts]
    except (binascii.Error, ValueError):
        raise BadSeal("not base64") from None
