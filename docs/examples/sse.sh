#!/bin/sh
# A run over server-sent events, with curl alone: start it, hang up in the middle, and go on behind
# the last event that was read, without a gap or a repeat.
#
# With a sidecar at its usual address (`make serve`):
#
#     sh docs/examples/sse.sh
#
# CREW_URL names a sidecar that is elsewhere.
set -eu

url=${CREW_URL:-http://127.0.0.1:8770}
seen=$(mktemp)
trap 'rm -f "$seen"' EXIT

# The id is yours: send the same again (a lost answer, a script that is repeated) and no second run
# begins. With `Accept: text/event-stream` the answer is the run itself.
curl --no-buffer --silent --fail \
  --header 'Content-Type: application/json' --header 'Accept: text/event-stream' \
  --data "{\"id\": \"sh-$$-$(date +%s)\", \"inputs\": {\"message\": \"a tea shop opens in Lisbon\"}}" \
  "$url/runs" | {
  events=0
  while IFS= read -r line; do
    printf '%s\n' "$line"
    printf '%s\n' "$line" >>"$seen"
    # `id:`, `data:` and an empty line: an event that was not read to its end does not count.
    case $line in
      id:*) events=$((events + 1)) ;;
      '') [ "$events" -lt 12 ] || break ;;
    esac
  done
}

last=$(sed -n 's/^id: //p' "$seen" | tail -n 1)
run=$(sed -n 's/.*"run":"\([^"]*\)".*/\1/p' "$seen" | head -n 1)
if [ -z "$last" ]; then
  echo "no event from $url; is the sidecar running? make serve" >&2
  exit 1
fi
printf ': hung up after %s of %s, and back again\n\n' "$last" "$run"

# An EventSource in a browser sends this header by itself.
curl --no-buffer --silent --show-error --fail --header "Last-Event-ID: $last" "$url/sse?run=$run"
