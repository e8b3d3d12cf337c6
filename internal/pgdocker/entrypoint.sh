# Runs the image's own entrypoint, and ends it when standard input ends: that is connected to the keeper of the server.
#
# usage: sh -c SCRIPT NAME COMMAND [ARGUMENT...]

set -e
if [ -n "$PGDBM_KEY" ]; then
	umask 077
	printf %s "$PGDBM_KEY" >/pgdbm/server.key
	printf %s "$PGDBM_CERTIFICATE" >/pgdbm/server.crt
	[ "$(id -u)" != 0 ] || chown postgres /pgdbm/server.key /pgdbm/server.crt
	umask 022
fi
unset PGDBM_KEY PGDBM_CERTIFICATE

exec 3<&0
docker-entrypoint.sh "$@" 3<&- &
server=$!
{ cat <&3; kill -s KILL "$server"; } >/dev/null 2>&1 &
exec 3<&-
wait "$server" # the engine kills the rest when this shell ends
