# What the scripts in tools/ share; sourced, not run. Leaves the shell in the project's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# One progress line.
say() { printf '\n== %s\n' "$*"; }

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command as root: directly, or through sudo.
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# May this user run commands as root? Asks for a password where there is somebody to ask.
can_be_root()
{
	[ "$(id -u)" -eq 0 ] && return
	command -v sudo >/dev/null || return
	sudo -n true 2>/dev/null || { [ -t 2 ] && sudo -v; }
}

# The versions of PostgreSQL that are supported.
supported_majors=(15 16 17 18)
supported="PostgreSQL ${supported_majors[0]} to ${supported_majors[-1]}"

# The major version of the server that a pg_config belongs to.
major_of() { "$1" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'; }

# Prints the pg_config to build with: the one asked for, else that of the oldest supported server with
# its development files. Prints nothing when there is none.
find_pg_config()
{
	local servers

	if [ -n "${SR_PG_CONFIG:-}" ]; then
		echo "$SR_PG_CONFIG"
		return
	fi
	servers=$(tools/servers)
	echo "${servers%%$'\n'*}"
}

# Sets PG_CONFIG, or ends with what to do.
need_pg_config()
{
	PG_CONFIG=$(find_pg_config)
	[ -n "$PG_CONFIG" ] || die "no $supported with its development files found"
	export PG_CONFIG
}

# node_package DIR [NAME@VERSION...]: has packages of Node.js in DIR/node_modules, without names those of DIR/package.json, by
# npm the first time: from its cache, or else from its registry. False where they are not to be had; a registry that does not answer is
# found out in seconds, and for ten minutes is not asked again.
node_package()
{
	local dir=$1 package missing=() silent=tmp_check/npm-silent log=tmp_check/npm-${1//\//-}.log
	local npm=(npm --no-audit --no-fund --no-package-lock --no-update-notifier)

	shift
	for package; do
		[ -e "$dir/node_modules/${package%@*}" ] || missing+=("$package")
	done
	# npm writes this file when all that it was asked for is there
	if [ $# -gt 0 ]; then [ ${#missing[@]} -gt 0 ] || return 0
	else [ ! -e "$dir/node_modules/.package-lock.json" ] || return 0; fi
	command -v npm >/dev/null || return 1
	mkdir -p "$dir" tmp_check
	timeout 60 "${npm[@]}" install --prefix "$dir" --offline "${missing[@]}" >"$log" 2>&1 && return
	[ -z "$(find $silent -mmin -10 2>/dev/null)" ] || return 1
	if ! timeout 15 "${npm[@]}" view --fetch-retries=0 --fetch-timeout=5000 "${missing[0]:-pg}" version >>"$log" 2>&1; then
		touch $silent
		return 1
	fi
	rm -f $silent
	timeout 120 "${npm[@]}" install --prefix "$dir" "${missing[@]}" >>"$log" 2>&1
}

# Builds and installs, the first as the user who owns the tree. "$@" goes to make.
build_and_install()
{
	local log=tmp_check/build.log dir writable=yes

	mkdir -p tmp_check
	say "building with $("$PG_CONFIG" --version)"
	make --no-print-directory -j2 PG_CONFIG="$PG_CONFIG" "$@" all >"$log" 2>&1 ||
		{ cat "$log" >&2; die "the build failed"; }
	for dir in "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --sharedir)/extension"; do
		[ -w "$dir" ] || writable=no
	done
	say "installing into $("$PG_CONFIG" --pkglibdir)"
	if [ $writable = yes ]; then
		make --no-print-directory PG_CONFIG="$PG_CONFIG" "$@" install >>"$log" 2>&1
	else
		can_be_root || die "installing needs root: run 'make install' as root first, or name a server of your own with PG_CONFIG=…"
		as_root make --no-print-directory PG_CONFIG="$PG_CONFIG" "$@" install >>"$log" 2>&1
	fi || { tail -n 20 "$log" >&2; die "the installation failed"; }
}
