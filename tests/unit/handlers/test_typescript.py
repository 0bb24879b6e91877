"""Tests that types for TypeScript can be made of the API's description as docs/api.md says."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from tests.support.engine import ROOT

NODE_MODULES = ROOT / ".venv" / "node" / "node_modules"
API = (ROOT / "docs" / "api.md").read_text()
(COMMAND,) = re.findall(r"^npx openapi-typescript .*$", API, re.MULTILINE)
(PRINTED,) = re.findall(r"```ts\n(.*?)```", API, re.DOTALL)
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
// @ts-expect-error: it is only there if the agent was not reached
api.GET("/api/calls").then(({ data }): string | undefined => data?.calls[0].agent_detail.trim());
"""
SHORT = """
import createClient from "openapi-fetch";
import type { paths } from "./chamade.d.ts";

const api = createClient<paths>({ baseUrl: "" });
// What has a default may be left out, and so may what is not to change.
api.POST("/api/call", { body: { platform: "sip", meeting_url: "sip:+33199001234@a.example" } });
api.PATCH("/api/number/{e164}", { params: { path: { e164: "" } }, body: { label: "Desk" } });
"""


@pytest.mark.deep
def test_printed_and_short_typescript_agree_with_the_description_and_typos_do_not(tmp_path):
    assert (NODE_MODULES / "typescript").exists(), "make .venv/.node"
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "printed.ts").write_text(PRINTED)
    (tmp_path / "typos.ts").write_text(TYPOS)
    (tmp_path / "short.ts").write_text(SHORT)
    program, *words = shlex.split(COMMAND)[1:]
    words[words.index("$CHAMADE_API_URL/openapi.json")] = str(ROOT / "docs" / "openapi.json")
    run_in(tmp_path, program, *words)
    options = ("--noEmit", "--strict", "--target", "es2022", "--moduleResolution", "bundler")
    run_in(tmp_path, "tsc", *options, "--module", "esnext", "printed.ts", "typos.ts", "short.ts")


def run_in(folder, program, *arguments):
    """Run a program of Node's; its complaints are the test's."""
    done = subprocess.run(
        [NODE_MODULES / ".bin" / program, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
