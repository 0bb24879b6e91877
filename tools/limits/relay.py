"""Limits of the relay."""

from __future__ import annotations

from tools.limits.limit import Limit

_TESTS = "tests/unit/relay/test_"
_PEERS = f"{_TESTS}peer_"
_STRANGERS = f"{_TESTS}server_strangers.py::test_"
_ADMISSION = f"{_TESTS}admission.py::test_"
_BOUNDS = f"{_TESTS}server_bounds.py::test_"
_AUDIO = f"{_TESTS}bridge_audio.py::test_"
_MESSAGES = f"{_TESTS}bridge_messages.py::test_"
_LEGS = f"{_TESTS}bridge_legs.py::test_"
_REPORTS = f"{_TESTS}bridge_reports.py::test_"
_WASTE = f"{_TESTS}bridge_bounds.py::test_"

_CONNECTIONS = (
    Limit(
        "processes that share a relay's port", "runtime.processors:MAX_PROCESSES", "",
        "installation", "the relay does not start",
        "tests/unit/relay/test_group.py::test_a_wrong_number_of_processes_is_named",
        "RELAY_PROCESSES",
    ),
    Limit(
        "document of a process on the group's board", "relay.group.board:PLACE", "B", "process",
        "it is written without the page of metrics",
        "tests/unit/relay/test_group.py::test_a_document_that_is_half_written_or_too_long_counts_as_none",
    ),
    Limit(
        "connections", "relay.config:Config.max_connections", "", "process",
        "the oldest one without a request is disconnected; if there is none, the new one",
        f"{_STRANGERS}new_connections_are_refused_when_all_are_taken",
        "RELAY_MAX_CONNECTIONS",
    ),
    Limit(
        "connections that new agents may use", "7 of 8 connections", "", "process",
        "503: the rest is for callers' streams, and for agents whose call is here",
        f"{_STRANGERS}the_last_connections_are_kept_for_streams_and_returning_agents",
    ),
    Limit(
        "connections without a request", "relay.network.connections:HANDSHAKES", "",
        "process", "the oldest one is disconnected",
        f"{_STRANGERS}connections_without_a_request_are_bounded_in_all",
    ),
    Limit(
        "connections of one address without a request (not behind a load balancer)",
        "relay.network.connections:HANDSHAKES_PER_ADDRESS", "", "source address",
        "the oldest one is disconnected",
        f"{_STRANGERS}connections_without_a_request_are_bounded_for_each_address",
    ),
    Limit(
        "time from a connection to the end of its request",
        "relay.network.server:HANDSHAKE_S", "s", "socket",
        "it is closed", f"{_STRANGERS}a_slow_request_is_disconnected",
    ),
    Limit(
        "request line and headers", "16 KiB", "", "socket", "it is closed",
        f"{_ADMISSION}a_request_with_endless_headers_is_disconnected",
    ),
    Limit(
        "sockets without a good token", "0", "", "process",
        "401 before the upgrade; nobody is asked and nothing is logged",
        f"{_STRANGERS}clients_without_a_good_token_take_no_places",
    ),
    Limit(
        "time in which a peer has to answer a ping", "relay.network.server:_PING_S", "s", "socket",
        "it is closed", f"{_ADMISSION}a_peer_that_answers_no_ping_is_disconnected",
    ),
    Limit(
        "time in which a peer has to answer CLOSE",
        "relay.core.closing_sockets:GRACE_S", "s", "socket",
        "it is disconnected", f"{_STRANGERS}a_closing_socket_that_never_reads_is_disconnected",
    ),
    Limit(
        "sockets that have been sent CLOSE and have not answered",
        "relay.core.closing_sockets:AT_ONCE", "", "process",
        "the oldest one is disconnected",
        f"{_STRANGERS}sockets_that_never_answer_close_are_bounded",
    ),
)  # fmt: skip

_WAITING = (
    Limit(
        "agents' sockets that wait for admission", "relay.config:Config.max_waiting", "",
        "process", "503; twice as many if the call is here",
        f"{_STRANGERS}agents_cannot_fill_the_places_of_providers_and_returning_agents",
        "RELAY_MAX_WAITING",
    ),
    Limit(
        "agents' sockets of one address that wait for admission",
        "relay.config:Config.max_waiting_address", "",
        "source address", "429, unless the call is here",
        f"{_STRANGERS}each_address_has_a_bound_of_waiting_sockets",
        "RELAY_MAX_WAITING_ADDRESS",
    ),
    Limit(
        "callers' streams that wait for admission", "relay.config:Config.max_waiting_providers",
        "", "process", "503",
        f"{_ADMISSION}waiting_streams_have_a_bounded_number_of_places_of_their_own",
        "RELAY_MAX_WAITING_PROVIDERS",
    ),
    Limit(
        "sockets of one leg that wait for admission", "relay.core.admission:PER_CALL", "", "call",
        "429", f"{_STRANGERS}each_call_has_a_bound_of_waiting_sockets",
    ),
    Limit(
        "sockets that one leg opens (at once, and each second)",
        "relay.core.admission:CONNECTS", "",
        "call", "429", f"{_STRANGERS}a_call_that_opens_endless_sockets_is_slowed_down",
    ),
    Limit(
        "legs whose openings are counted",
        "relay.core.admission:CALLS_REMEMBERED",
        "", "process", "the one that was opened longest ago is forgotten",
        f"{_ADMISSION}openings_are_counted_for_a_bounded_number_of_legs",
    ),
    Limit(
        "agents' sockets that are piped to another relay",
        "relay.core.admission:PIPED_PER_CALL", "", "call", "closed with 1013",
        f"{_TESTS}relay_pipe.py::test_a_bounded_number_of_a_calls_sockets_is_piped",
    ),
    Limit(
        "requests to the application under way (agents, streams and reports have as many each)",
        "relay.network.control:AT_ONCE", "", "process", "the next ones wait for their turn",
        f"{_TESTS}control.py::test_attaches_that_get_no_answer_do_not_delay_reports",
    ),
    Limit(
        "a message before admission",
        "relay.network.leg:EARLY_MESSAGE", "bytes", "socket",
        "closed with 1008", f"{_BOUNDS}a_long_message_before_admission_closes_the_socket",
    ),
    Limit(
        "all messages before admission, and as much again each second",
        "relay.network.leg:EARLY_BYTES", "bytes", "socket", "closed with 1008",
        f"{_BOUNDS}too_many_messages_before_admission_close_the_socket",
    ),
    Limit(
        "an agent's audio before admission, none of it kept",
        "relay.network.agent_leg:EARLY_AUDIO", "bytes",
        "socket", "closed with 1008", f"{_BOUNDS}endless_audio_before_admission_closes_the_socket",
    ),
    Limit(
        "an agent's texts that are kept until admission",
        "relay.network.agent_leg:KEPT_TEXTS", "", "socket", "closed with 1008",
        f"{_TESTS}server_limits.py::test_a_bounded_number_of_an_agents_texts_is_kept_before_admission",
    ),
    Limit(
        "messages of a stream that are kept until admission",
        "relay.network.provider_leg:KEPT_MESSAGES", "", "socket", "the oldest are dropped",
        f"{_TESTS}server_audio.py::test_the_oldest_audio_before_admission_is_dropped",
    ),
    Limit(
        "time until a stream's `start`",
        "relay.core.timeouts:Timeouts.provider_start", "s", "socket",
        "closed with 4408",
        f"{_TESTS}server_admission.py::test_a_provider_that_sends_no_start_is_closed",
        "RELAY_PROVIDER_START_S",
    ),
)  # fmt: skip

_CALLS = (
    Limit(
        "agents", "1", "", "call", "the older socket is closed with 4409",
        f"{_LEGS}second_agent_replaces_the_first",
    ),
    Limit(
        "callers' streams", "1", "", "call", "the older one is closed",
        f"{_LEGS}newer_stream_replaces_the_older",
    ),
    Limit(
        "time without any agent", "relay.core.timeouts:Timeouts.agent_first", "s", "call",
        "the call ends, `no_agent`",
        f"{_LEGS}no_agent_is_reported_thirty_seconds_after_the_stream_began",
        "RELAY_AGENT_FIRST_S",
    ),
    Limit(
        "time until a lost agent is back", "relay.core.timeouts:Timeouts.agent_back", "s", "call",
        "the call ends, `agent_lost`",
        f"{_LEGS}an_agent_that_stays_away_is_reported_and_the_answer_ends_the_call",
        "RELAY_AGENT_BACK_S",
    ),
    Limit(
        "time until a lost stream is back",
        "relay.core.timeouts:Timeouts.provider_back", "s", "call",
        "the call ends, `media_failed`",
        f"{_LEGS}lost_stream_is_watched_at_growing_steps_then_reported",
        "RELAY_PROVIDER_BACK_S",
    ),
    Limit(
        "time without an answer from the application, with no stream",
        "relay.core.timeouts:Timeouts.unreachable", "s", "call", "the call is forgotten here",
        f"{_REPORTS}a_call_without_a_stream_is_closed_when_the_application_stays_silent",
        "RELAY_UNREACHABLE_S",
    ),
    Limit(
        "an attempt to reach an agent that is dialled",
        "relay.network.dialler:WITHIN_S", "s", "call",
        "the attempt is given up",
        f"{_TESTS}dialler.py::test_an_agent_that_never_answers_is_given_up_and_disconnected",
    ),
    Limit(
        "names of agents that are resolved at the same time",
        "relay.network.dialler:_RESOLVERS", "",
        "process", "the next ones wait, within the time of their attempt",
        f"{_TESTS}dialler.py::test_a_bounded_number_of_names_is_resolved_at_a_time",
    ),
    Limit(
        "time in which a lost agent is dialled again", "relay.core.redial:LASTING_S", "s", "call",
        "the call ends, `agent_lost`",
        f"{_TESTS}bridge_dialling.py::test_a_dialled_agent_that_breaks_again_and_again_has_ten_seconds_in_all",
    ),
)  # fmt: skip

_TALKING = (
    Limit(
        "a message", "relay.network.leg:MAX_MESSAGE", "bytes", "socket", "closed with 1009",
        f"{_TESTS}server_limits.py::test_a_message_over_a_mebibyte_closes_the_socket",
    ),
    Limit(
        "what a fragment counts for, at least", "relay.network.leg:FRAME_COST", "bytes", "socket",
        "closed with 1009",
        f"{_BOUNDS}endless_empty_fragments_close_the_socket",
    ),
    Limit(
        "audio queued for the caller", "relay.core.playout_estimate:MAX_QUEUED_S", "s", "call",
        "dropped, and the agent is told", f"{_AUDIO}at_most_five_minutes_of_audio_are_queued",
    ),
    Limit(
        "audio that the provider does not read",
        "relay.network.provider_leg:ProviderSocket.high_water", "bytes", "socket",
        "dropped, and the agent is told",
        f"{_AUDIO}audio_for_a_slow_provider_is_dropped_and_the_agent_is_told",
    ),
    Limit(
        "audio that the agent does not read",
        "relay.network.agent_leg:AgentSocket.high_water", "bytes",
        "socket", "dropped, and the agent is told",
        f"{_TESTS}server_limits.py::test_an_agent_that_does_not_read_loses_frames_and_is_told",
    ),
    Limit(
        "texts that the agent does not read",
        "relay.core.agent_channel:MAX_UNREAD", "bytes", "socket",
        "closed with 1008", f"{_MESSAGES}an_agent_that_never_reads_its_answers_is_closed",
    ),
    Limit(
        "audio kept for an agent that is not there",
        "relay.core.caller_to_agent:KEPT_MS", "ms", "call",
        "the oldest is dropped, and the agent is told",
        f"{_TESTS}caller_to_agent.py::test_the_last_two_seconds_are_kept",
    ),
    Limit(
        "keys kept for an agent that is not there",
        "relay.core.current_agent:KEPT_KEYS", "", "call",
        "dropped, and the agent is told how many",
        f"{_TESTS}bridge_kept_messages.py::test_keys_beyond_the_limit_are_dropped_and_counted_in_dropped",
    ),
    Limit(
        "audio that nobody hears (seconds at once, and each second)",
        "relay.core.agent_to_caller:UNHEARD", "",
        "call", "the agent's socket is read less often",
        f"{_WASTE}half_an_hour_at_once_is_dropped_and_slows_the_sender_down",
    ),
    Limit(
        "audio that nobody hears for which a text counts",
        "relay.core.agent_channel:TEXT_COST_S", "s", "call",
        "the agent's socket is read less often",
        f"{_WASTE}texts_without_end_slow_the_sender_down",
    ),
    Limit(
        "marks that are not heard yet", "relay.core.playout_estimate:MAX_MARKS", "", "call",
        "`error`, `too_many_marks`", f"{_MESSAGES}too_many_marks_are_refused",
    ),
    Limit(
        "malformed messages", "relay.core.agent_channel:MAX_ERRORS", "", "socket",
        "closed with 4400", f"{_MESSAGES}twenty_malformed_messages_close_the_agent",
    ),
    Limit(
        "keys that a caller presses (at once, and each second)", "relay.core.key_rate:PRESSED", "",
        "call", "dropped", f"{_MESSAGES}keys_faster_than_a_telephone_dials_are_dropped",
    ),
    Limit(
        "time between two reports of keys", "relay.core.key_queue:EVERY_S", "s", "call",
        "keys pressed meanwhile go together in the next",
        f"{_TESTS}key_reports.py::test_at_most_one_report_a_second_is_sent",
    ),
    Limit(
        "keys that wait to be reported", "relay.core.key_queue:MAX_WAITING", "", "call",
        "dropped, and a line of the log says how many",
        f"{_TESTS}key_reports.py::test_a_bounded_number_of_keys_waits",
    ),
    Limit(
        "lines of the log (at once, and each second)", "runtime.logs:LINES", "", "call",
        "left out, and the next line says how many",
        "tests/unit/runtime/test_logs.py::test_a_noisy_call_logs_a_bounded_number_of_lines_and_takes_none_from_others",
    ),
    Limit(
        "lines of the log about one kind of mistake of an agent's",
        "relay.network.twilio_agent_leg:_LOGGED", "", "socket",
        "the others are not logged",
        f"{_TESTS}twilio_dialect.py::test_malformed_messages_are_ignored_and_logged_a_few_times",
    ),
)  # fmt: skip

_LINE = (
    Limit(
        "audio in which who answered is found out", "relay.core.who_answered:DECIDE_MS", "ms",
        "call", "it is `unknown`",
        f"{_TESTS}who_answered.py::test_a_tone_that_does_not_end_is_nobody_that_can_be_told",
    ),
    Limit(
        "audio in which the end of a machine's greeting is awaited",
        "relay.core.who_answered:GREETING_WITHIN_MS", "ms", "call", "it ended by `timeout`",
        f"{_TESTS}who_answered.py::test_a_machine_that_talks_forever_is_given_up",
    ),
    Limit(
        "reports of what was found out, to an application that asks on",
        "relay.core.answer_watch:TOLD", "", "call", "not reported again",
        f"{_TESTS}answer_watch.py::test_a_report_that_was_lost_is_made_again_while_the_application_asks_but_not_for_ever",
    ),
    Limit(
        "audio sent ahead to a caller on hold", "relay.core.line_source:AHEAD_S", "s", "call",
        "the next piece waits",
        f"{_TESTS}hold.py::test_the_caller_hears_the_music_from_its_begin_and_in_real_time",
    ),
    Limit(
        "a clip for callers on hold", "relay.protocol.line:MAX_CLIP", "bytes", "call",
        "music is played instead",
        f"{_TESTS}server_hold.py::test_a_clip_that_is_too_long_is_music",
    ),
    Limit(
        "clips that are kept", "relay.network.clips:KEPT", "", "process",
        "the one that was used longest ago is forgotten",
        f"{_TESTS}server_hold.py::test_a_relay_keeps_sixteen_clips",
    ),
    Limit(
        "sockets to the other call of a bridge", "1", "", "call", "the older one is closed",
        f"{_PEERS}wire.py::test_a_call_has_one_socket_to_the_other_and_few_are_opened",
    ),
    Limit(
        "time between two tries to reach the other call", "relay.core.peer:RETRY_S", "s", "call",
        "the next try waits",
        f"{_TESTS}bridged_calls.py::test_while_the_other_call_is_away_it_is_tried_each_half_second_and_asked_for_at_each_third",
    ),
    Limit(
        "audio of the other call that waits for playout", "relay.core.peer:MAX_AHEAD_S", "s",
        "call", "left out until little is left",
        f"{_TESTS}bridged_calls.py::test_after_a_pause_of_the_network_the_conversation_is_not_late",
    ),
    Limit(
        "audio that the other call's relay does not read",
        "relay.network.peer_leg:PeerSocket.high_water", "bytes", "socket", "dropped",
        f"{_TESTS}bridged_calls.py::test_audio_for_a_relay_that_does_not_read_is_dropped_and_counted",
    ),
    Limit(
        "a message of the other call's audio", "relay.core.playout_estimate:MAX_MESSAGE", "bytes",
        "socket", "left out",
        f"{_TESTS}bridged_calls.py::test_a_message_of_more_than_a_second_is_left_out",
    ),
    Limit(
        "an attempt to reach the other call's relay", "relay.network.peer_leg:CONNECT_S", "s",
        "call", "the attempt is given up",
        f"{_PEERS}wire.py::test_a_relay_that_never_answers_is_given_up",
    ),
)  # fmt: skip

_DOOR = (
    Limit(
        "a command through the door", "relay.protocol.door_messages:MAX_BODY", "bytes", "socket",
        "413", f"{_TESTS}door.py::test_a_command_of_more_than_64_kib_is_refused",
    ),
    Limit(
        "time that a command may give an agent to reply",
        "relay.protocol.door_messages:MAX_WAIT_S", "s", "call", "400",
        f"{_TESTS}door.py::test_a_malformed_command_is_refused_and_changes_nothing",
    ),
    Limit(
        "time that the door waits beyond that", "relay.network.door:REPLY_S", "s", "call",
        "`timeout`, or `no_agent` if none was there",
        f"{_TESTS}door_requests.py::test_an_agent_that_does_not_reply_is_waited_for_in_vain",
    ),
    Limit(
        "requests to an agent without a reply", "relay.core.requests_to_agent:MAX_REQUESTS", "",
        "call", "`too_many`",
        f"{_TESTS}door.py::test_too_many_requests_of_a_call_are_refused",
    ),
    Limit(
        "a reply of an agent", "relay.protocol.agent:MAX_REQUEST", "bytes", "call",
        "`reply_too_long`",
        f"{_TESTS}door_requests.py::test_a_bad_reply_is_an_error_and_the_call_goes_on",
    ),
    Limit(
        "commands whose ids are remembered", "relay.core.seen_ids:MAX_IDS", "", "process",
        "503 for new ones: a forgotten one could be played again",
        f"{_TESTS}door_messages.py::test_new_ids_are_refused_rather_than_old_ones_forgotten",
    ),
    Limit(
        "those of one call", "relay.core.seen_ids:MAX_IDS_PER_CALL", "", "call", "`too_many`",
        f"{_TESTS}door_messages.py::test_a_call_takes_its_share_of_the_ids_and_leaves_room_for_the_others",
    ),
    Limit(
        "time for which they are remembered", "relay.core.seen_ids:REMEMBERED_S", "s", "process",
        "forgotten, as the signature is too old by then",
        f"{_TESTS}door_messages.py::test_an_id_is_remembered_for_as_long_as_its_signature_is_good",
    ),
    Limit(
        "commands that are passed on and have no answer",
        "relay.network.door_forwarding:MAX_FORWARDS", "", "process", "`too_many`",
        f"{_TESTS}door_forwarding.py::test_commands_that_are_passed_on_are_bounded",
    ),
    Limit(
        "commands of one call that are passed on and have no answer",
        "relay.network.door_forwarding:MAX_FORWARDS_PER_CALL", "", "call", "`too_many`",
        f"{_TESTS}door_forwarding.py::test_commands_that_are_passed_on_are_bounded",
    ),
    Limit(
        "connections to the door without a good signature", "runtime.strangers:MAX_UNKNOWN", "",
        "process", "the oldest is closed",
        f"{_TESTS}door.py::test_strangers_connections_are_bounded_and_the_applications_stays",
    ),
    Limit(
        "an attempt to reach an agent that has other addresses",
        "relay.network.dialler:WITHIN_IF_OTHERS_S", "s", "call", "the next address is tried",
        f"{_TESTS}dialler.py::test_a_host_that_never_answers_is_given_up_sooner_if_there_are_others",
    ),
)  # fmt: skip

LIMITS: tuple[Limit, ...] = (*_CONNECTIONS, *_WAITING, *_CALLS, *_TALKING, *_LINE, *_DOOR)
