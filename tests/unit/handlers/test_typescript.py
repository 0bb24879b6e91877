"""Tests that types for TypeScript can be made of the API's description as docs/api.md says."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.engine import ROOT

NODE_MODULES = ROOT / ".venv" / "node" / "node_modules"
(PRINTED,) = re.findall(r"```ts\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)
TYPOS = """
import createClient from "openapi-fetch";
import type { paths } from "./chamade.d.ts";

const api = createClient<paths>({ baseUrl: "" });
// @ts-expect-error: no such state
api.GET("/api/calls", { params: { query: { state: "rining" } } });
// @ts-expect-error: no such path
api.POST("/api/call/{call_id}/acept", { params: { path: { call_id: "" } } });
// @ts-expect-error: the platform is missing
api.POST("/api/call", { body: { meeting_url: "sip:+33199001234@sip.carrier.example" } });
// @ts-expect-error: no such field
api.GET("/api/account").then(({ data }) => data?.nmae);
"""


@pytest.mark.deep
def test_the_printed_typescript_agrees_with_the_description_and_typos_do_not(tmp_path):
    assert (NODE_MODULES / "typescript").exists(), "make .venv/.node"
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "printed.ts").write_text(PRINTED)
    (tmp_path / "typos.ts").write_text(TYPOS)
    description = ROOT / "docs" / "openapi.json"
    run_in(tmp_path, "openapi-typescript", description, "--output", "chamade.d.ts")
    options = ("--noEmit", "--strict", "--target", "es2022", "--moduleResolution", "bundler")
    run_in(tmp_path, "tsc", *options, "--module", "esnext", "printed.ts", "typos.ts")


def run_in(folder, program, *arguments):
    """Run a program of Node's; its complaints are the test's."""
    done = subprocess.run(
        [NODE_MODULES / ".bin" / program, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
