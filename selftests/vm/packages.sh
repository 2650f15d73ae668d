# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# tbtf - packages of other Debian releases, apart from the host's apt
#
# Copyright (C) 2026 The tbtf authors
#
# Sourced, never run; OUTPUT and die() come from whoever does. There is one apt of
# our own below $OUTPUT/cache/apt, with lists of its own and nothing installed.
# It gets packages from where the host gets those of its own release: no mirror
# is written down here. It does what it does under a lock, aside, and renames at
# the end: a run cut short leaves nothing half done.

# Where kernels come from beside the host's own release. 13 is in two suites: a
# kernel whose fault was grave is in the second one only.
PACKAGES_SUITES="bookworm-backports trixie trixie-security trixie-backports"
# What a root is made of, in which the modules of newer kernels are built.
PACKAGES_ROOT="make gcc libc6-dev libelf-dev pahole kmod xz-utils"

# packages_lock: until the shell ends; what another one has just fetched is then here.
packages_lock()
{
	mkdir -p "$OUTPUT/cache"
	[ -z "${PACKAGES_LOCK:-}" ] || return 0
	exec {PACKAGES_LOCK}> "$OUTPUT/cache/.lock"
	flock "$PACKAGES_LOCK"
}

# packages_mirror [security]: the archive that the host's own release comes from
packages_mirror()
{
	local want=Debian found

	[ -z "${1:-}" ] || want=Debian-Security
	# shellcheck disable=SC2016 # the names are apt's to fill in
	found=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' \
			'Created-By: Packages' 'Component: main' 2>/dev/null |
		sed -n "s/^$want //p" | head -1)
	# Labels are known from lists only, which a container image has not.
	# shellcheck disable=SC2016
	[ -n "$found" ] || found=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' \
			'Created-By: Packages' 'Component: main' 2>/dev/null |
		awk -v s="${1:+-security}" -v c="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" \
			'$1 == c s { print $2; exit }')
	[ -n "$found" ] ||
		die "where does this host get Debian's packages from? apt-get indextargets names no source labelled $want"
	echo "$found"
}

# packages_apt [update]: make the private apt, once; "update" looks for news
packages_apt()
{
	local dir=$OUTPUT/cache/apt tmp suite main security
	local key=/usr/share/keyrings/debian-archive-keyring.gpg

	if [ -e "$dir/sources.list" ] && [ -z "${1:-}" ]; then
		# The cache may have been copied from another tree.
		packages_conf "$dir" > "$dir/apt.conf"
		return
	fi
	[ -r "$key" ] || die "$key is missing: install the package debian-archive-keyring"
	main=$(packages_mirror) || exit 1
	security=$(packages_mirror security) || exit 1
	tmp=$dir.new
	rm -rf "$tmp"
	mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/none"
	: > "$tmp/status"
	for suite in $PACKAGES_SUITES; do
		case $suite in
		*-security) echo "deb [signed-by=$key] $security $suite main" ;;
		*) echo "deb [signed-by=$key] $main $suite main" ;;
		esac
	done > "$tmp/sources.list"
	packages_conf "$tmp" > "$tmp/conf"
	echo "  LISTS   $PACKAGES_SUITES" >&2
	APT_CONFIG=$tmp/conf apt-get -qq -o APT::Update::Error-Mode=any update >&2 ||
		die "cannot get the lists of packages; apt's reason is above"
	rm "$tmp/conf"
	packages_conf "$dir" > "$tmp/apt.conf"
	rm -rf "$dir"
	mv "$tmp" "$dir"
}

packages_conf()
{
	cat <<-CONF
		Dir::State "$1";
		Dir::State::lists "$1/lists";
		Dir::State::status "$1/status";
		Dir::Cache "$1/cache";
		Dir::Etc::sourcelist "$1/sources.list";
		Dir::Etc::sourceparts "$1/none";
		Dir::Etc::preferences "$1/none/preferences";
		Dir::Etc::preferencesparts "$1/none";
		APT::Sandbox::User "root";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		Acquire::Languages "none";
		Debug::NoLocking "true";
	CONF
}

# papt PROGRAM ARGUMENT...: apt-get or apt-cache, the private one
papt()
{
	APT_CONFIG=$OUTPUT/cache/apt/apt.conf "$@"
}

# packages_unpack DIR PACKAGE...: into DIR, as they would be installed into it
packages_unpack()
{
	local dir=$1 deb

	shift
	mkdir -p "$dir/debs"
	(cd "$dir/debs" && papt apt-get -qq download "$@") >&2 || return
	for deb in "$dir"/debs/*.deb; do
		(set -o pipefail
		 dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$dir") || return
	done
	rm -rf "$dir/debs"
}

# packages_root SUITE: the root of SUITE in which modules are built; made once
packages_root()
{
	local dir=$OUTPUT/cache/root/$1 tmp=$OUTPUT/cache/root/$1.new mirror

	if [ ! -e "$dir/usr" ]; then
		[ "$(id -u)" = 0 ] ||
			die "only root can make a build root of $1 (as root, once: selftests/vm/kernel KVER)"
		command -v mmdebstrap >/dev/null ||
			die "mmdebstrap is not installed; it makes the build root of $1 (make deps KVER=...)"
		echo "  ROOT    $1: $PACKAGES_ROOT" >&2
		rm -rf "$tmp"
		mkdir -p "${dir%/*}"
		mirror=$(packages_mirror) || exit 1
		mmdebstrap --quiet --mode=root --variant=apt --components=main \
			--dpkgopt='path-exclude=/usr/share/doc/*' \
			--dpkgopt='path-exclude=/usr/share/man/*' \
			--dpkgopt='path-exclude=/usr/share/locale/*' \
			--include="${PACKAGES_ROOT// /,}" "$1" "$tmp" "$mirror" >&2 ||
			die "mmdebstrap cannot make a build root of $1"
		rm -rf "$dir"
		mv "$tmp" "$dir"
	fi
	echo "$dir"
}

# packages_root_add ROOT PACKAGE...: install into a root what it has not
packages_root_add()
{
	local root=$1 p missing=()

	shift
	for p; do
		[ -e "$root/var/lib/dpkg/info/$p.list" ] || missing+=("$p")
	done
	[ ${#missing[@]} -ne 0 ] || return 0
	[ "$(id -u)" = 0 ] || die "only root can install ${missing[*]} into the build root $root"
	echo "  ROOT    $(basename "$(readlink -f "$root")"): ${missing[*]}" >&2
	# As it is now, not as it was when the root was made.
	cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
	# shellcheck disable=SC2016 # the inner shell's
	DEBIAN_FRONTEND=noninteractive "${BASH_SOURCE[0]%/*}/inroot" "$root" sh -c '
		apt-get -qq -o APT::Sandbox::User=root update &&
			apt-get -qq -y -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 \
				--no-install-recommends install "$@" > /var/log/added.log 2>&1 || {
			tail -20 /var/log/added.log
			exit 1
		}' sh "${missing[@]}" >&2 ||
		die "cannot install ${missing[*]} into the build root $root"
}
