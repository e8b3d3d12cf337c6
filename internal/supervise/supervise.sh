# Makes a directory, runs a script that fills it and then a server in it, and
# removes every trace of them when the server ends or when standard input ends,
# that is, when the program that holds the other end of the pipe is gone for
# whatever reason.
#
# usage: sh -c SCRIPT NAME DIRECTORY PREPARE SERVER [OPTION...]
#
# PREPARE is a shell script; its $1 is DIRECTORY.

dir=$1 prepare=$2
shift 2

stop=  # set when it is time to end
child= # process id of the script or the server while it runs

quit() {
	stop=1
	# SIGQUIT makes PostgreSQL end at once without waiting for its clients, and
	# PgBouncer from 1.23 on. But a shell starts its background processes with
	# that signal ignored, and it is lost on one that has not set its own handler
	# yet. SIGTERM is not; older PgBouncers end at once with it.
	[ -z "$child" ] || { kill -s TERM "$child"; kill -s QUIT "$child"; } 2>/dev/null
}

# run runs a command to its end, or stops it early, and sets status.
run() {
	"$@" 3<&- &
	child=$!
	[ -z "$stop" ] || quit # came before child was set
	wait "$child"
	status=$?
	# A signal ends wait early; then wait again until the child is really gone.
	while [ "$status" -gt 128 ] && kill -s 0 "$child" 2>/dev/null; do
		wait "$child"
		status=$?
	done
	child=
}

trap '' PIPE # nobody may be left to read our output
trap quit TERM

# The watcher does the blocking read, because wait can be interrupted by a signal
# and read cannot in every shell.
exec 3<&0 </dev/null
(read -r _; kill -s TERM $$) <&3 3<&- >/dev/null 2>&1 &
watcher=$!

status=1
if mkdir -m 700 "$dir"; then
	run /bin/sh -c "$prepare" prepare "$dir"
	if [ "$status" -eq 0 ] && [ -z "$stop" ]; then
		run "$@"
	fi
	rm -rf "$dir"
fi
kill -s TERM "$watcher" 2>/dev/null
exit "$status"
