# shellcheck shell=bash disable=SC2030,SC2031,SC2120
#
# Private throw-away servers for tests, demo and bench; to be sourced.
#
#   find_postgres              sets PG_CONFIG, PG_BINDIR and PG_TEST_TOOLS
#   make_work_dir              sets WORK, which is gone when the script ends
#   start_cluster [NAME=VALUE] a server with these settings; exports PGHOST,
#                              PGPORT, PGUSER and PGDATABASE for psql
#   stop_cluster               stops it and removes its data
#   copy_minilm                the files of a transformer (test/tools/minilm) to
#                              WORK/minilm, where the server can read them
#   as_server COMMAND...       runs something as the user the server runs as
#
# A server that is already there is never spoken to: sockets are in WORK, TCP
# is off, and whatever the environment says about another server is forgotten.

unset PGHOST PGHOSTADDR PGPORT PGUSER PGPASSWORD PGPASSFILE PGDATABASE PGSERVICE \
	PGSERVICEFILE PGOPTIONS PGSSLMODE PGREQUIRESSL PGTARGETSESSIONATTRS PGDATA

# Can one build against the PostgreSQL of this pg_config?
can_build() {
	[ -f "$("$1" --includedir-server 2>/dev/null)/postgres.h" ] &&
		[ -f "$("$1" --pgxs 2>/dev/null)" ]
}

find_postgres() {
	local candidate
	if [ -z "${PG_CONFIG:-}" ]; then
		for candidate in pg_config /usr/lib/postgresql/15/bin/pg_config; do
			if can_build "$candidate"; then
				PG_CONFIG=$candidate
				break
			fi
		done
	fi
	[ -n "${PG_CONFIG:-}" ] && can_build "$PG_CONFIG" || return 1
	PG_BINDIR=$("$PG_CONFIG" --bindir)
	PG_TEST_TOOLS=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
	[ -x "$PG_BINDIR/initdb" ] && [ -x "$PG_BINDIR/postgres" ] || return 1
	export PG_CONFIG PG_BINDIR PG_TEST_TOOLS PATH="$PG_BINDIR:$PATH"
}

# PostgreSQL refuses to run as root.  setpriv keeps the environment, as
# OPENBLAS_CORETYPE and its like must reach the server; HOME and the directory
# stood in are those of somebody else, so they are replaced.
as_server() (
	exec_as_server "$@"
)

# The same in place of this shell: for what runs in the background, so that a
# signal reaches it and not a shell before it.
exec_as_server() {
	cd "$WORK" || exit
	export HOME="$WORK" TMPDIR="$WORK"
	if [ "$(id -u)" -eq 0 ]; then
		exec setpriv --reuid="$SERVER_USER" --regid="$(id -g "$SERVER_USER")" --init-groups -- "$@"
	fi
	exec "$@"
}

make_work_dir() {
	local parent
	# This runs on a signal, too, and at once.  A trap for the signal itself
	# would wait until the command in the foreground has ended; but that is
	# what a Ctrl-C, which both get, needs to stop the script as well.
	trap end_of_work EXIT
	trap 'exit 130' INT

	SERVER_USER=$(id -un)
	if [ "$(id -u)" -eq 0 ]; then
		SERVER_USER=postgres
		id "$SERVER_USER" >/dev/null 2>&1 || SERVER_USER=nobody
	fi
	# TMPDIR may be closed to that user, or too long for a socket's path.
	for parent in "${TMPDIR:-/tmp}" /tmp; do
		WORK=$(mktemp -d "$parent/humanloop.XXXXXX" 2>/dev/null) || continue
		chown "$SERVER_USER" "$WORK"
		chmod 755 "$WORK"
		if [ "${#WORK}" -lt 60 ] && as_server test -w "$WORK"; then
			return 0
		fi
		rmdir "$WORK"
	done
	echo "found no directory that $SERVER_USER may write to" >&2
	return 1
}

start_cluster() {
	local setting
	as_server "$PG_BINDIR/initdb" -A trust -U postgres -E UTF8 --locale=C -N \
		-D "$WORK/data" >"$WORK/initdb.log" 2>&1 || {
		cat "$WORK/initdb.log" >&2
		return 1
	}
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$WORK'"
		echo "fsync = off"
		for setting in "$@"; do
			echo "${setting%%=*} = '${setting#*=}'"
		done
	} >>"$WORK/data/postgresql.conf"
	export PGHOST="$WORK" PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	as_server "$PG_BINDIR/pg_ctl" -D "$WORK/data" -l "$WORK/server.log" -s -w start || {
		cat "$WORK/server.log" >&2
		return 1
	}
}

stop_cluster() {
	[ -d "$WORK/data" ] || return 0
	as_server "$PG_BINDIR/pg_ctl" -D "$WORK/data" -s -m immediate stop || true
	rm -rf "$WORK/data"
}

# Says why, where they cannot be had.
copy_minilm() {
	local directory
	directory=$(test/tools/minilm) || return 1
	mkdir "$WORK/minilm"
	cp "$directory"/*.json "$directory"/*.safetensors "$WORK/minilm/"
	chmod 755 "$WORK/minilm"
	chmod 644 "$WORK"/minilm/*
}

# Also ends servers that a TAP test has left below WORK when it was killed.
end_of_work() {
	local status=$? file pid
	trap '' HUP INT TERM
	for pid in $(jobs -p); do
		kill "$pid" 2>/dev/null || true
	done
	wait
	while read -r file; do
		pid=$(head -n 1 "$file" 2>/dev/null) || continue
		kill -QUIT "$pid" 2>/dev/null || continue
		for _ in $(seq 100); do
			[ -e "$file" ] || break
			sleep 0.1
		done
	done < <(find "$WORK" -name postmaster.pid 2>/dev/null)
	rm -rf "$WORK"
	exit "$status"
}
