"""The kinds of calls of the long run."""

from __future__ import annotations

from tests.load.sip_long import calls_in, calls_out
from tests.load.sip_long.world import Scenario

SCENARIOS: dict[Scenario, int] = {
    calls_in.in_talks: 6,
    calls_in.in_is_hung_up: 2,
    calls_in.in_presses_keys: 2,
    calls_in.in_presses_keys_by_info: 2,
    calls_in.in_holds_and_resumes: 3,
    calls_in.in_cancels: 3,
    calls_in.in_cancels_at_once: 2,
    calls_in.in_is_busy: 2,
    calls_in.in_is_declined: 2,
    calls_in.in_offers_nonsense: 2,
    calls_in.in_is_encrypted: 3,
    calls_in.in_refreshes_its_session: 1,
    calls_in.in_vanishes: 1,
    calls_in.in_loses_its_bye: 1,
    calls_in.in_never_acknowledges: 1,
    calls_in.in_is_silent_for_a_while: 1,
    calls_in.in_falls_silent: 1,
    calls_out.out_talks: 5,
    calls_out.out_is_cleared: 2,
    calls_out.out_is_busy: 2,
    calls_out.out_is_declined: 1,
    calls_out.out_finds_nobody: 1,
    calls_out.out_is_not_answered: 2,
    calls_out.out_is_cancelled: 2,
    calls_out.out_presses_keys: 1,
    calls_out.out_has_early_audio: 1,
    calls_out.out_is_held: 1,
    calls_out.out_is_answered_with_nonsense: 1,
}
"""The kinds of calls, and how often each comes among all."""
