"""Run with nothing on the path but the package: imports all that the application may ever import,
and makes its clients. Prints the files of modules that came from elsewhere all the same.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

sys.path[:0] = [sys.argv[1]]

import boto3  # noqa: E402
from twilio.rest import Client  # noqa: E402

import app  # noqa: E402
import chalicelib  # noqa: E402

assert app.app
for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
    importlib.import_module(module.name)
for service in ("dynamodb", "stepfunctions", "kms", "secretsmanager"):
    boto3.client(service, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
calls = Client("AC" + "0" * 32, "token").calls
assert calls.create
assert calls("CA" + "0" * 32).update
for late in ("jsonschema", "phonenumbers", "cryptography.hazmat.primitives.ciphers.aead"):
    importlib.import_module(late)
files = [str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())]
print([f for f in files if "site-packages" in f])
