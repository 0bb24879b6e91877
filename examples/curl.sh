# The whole life of an inbound call with curl alone. With a stack up (make run):
#
#   . .local/env && . examples/curl.sh
#
# then the functions below can be called, one after the other.

api() { curl -sS -X "$1" -H "X-API-Key: $CHAMADE_API_KEY" -H "Content-Type: application/json" ${3:+-d "$3"} "$CHAMADE_API_URL$2"; echo; }
pick() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }

numbers() { api GET /api/numbers; }                             # call one of these
ringing() { api GET "/api/calls?state=ringing&direction=inbound"; }
wait_for_events() { api GET "/api/events?wait=20${1:+&after=$1}"; }   # cursor of the last answer
accept() { api POST "/api/call/$1/accept"; }                    # has audio.url and audio.token
refuse() { api POST "/api/call/$1/refuse"; }
leave() { api POST "/api/call/$1/leave"; }
dial() { api POST /api/call "{\"platform\": \"sip\", \"meeting_url\": \"$1\"}"; }

first_ringing() { ringing | pick '["calls"][0]["call_id"]'; }
