# shellcheck shell=sh disable=SC2034
# Sourced by ./demo and ./check: installs the Debian packages that are missing.
# need PACKAGE...: as root or through sudo; without either says what to install and ends.

need() {
	if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
		echo "$0: no Debian: what is missing must be installed by hand; here it is called: $*" >&2
		return 0
	fi
	missing=
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	as_root=
	if [ "$(id -u)" != 0 ]; then
		if command -v sudo >/dev/null 2>&1; then
			as_root=sudo
		else
			echo "$0: please install, as root: apt-get install$missing" >&2
			exit 1
		fi
	fi
	echo "== installing:$missing"
	apt_log=$(mktemp)
	# shellcheck disable=SC2086
	if ! {
		$as_root apt-get -qq -o DPkg::Lock::Timeout=600 update
		$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=600 \
			install --no-install-recommends $missing
	} >"$apt_log" 2>&1 </dev/null; then
		grep -E '^(E|W|Err|dpkg: error)' "$apt_log" >&2 || tail -n 20 "$apt_log" >&2
		rm -f "$apt_log"
		echo "$0: could not install:$missing" >&2
		exit 1
	fi
	rm -f "$apt_log"
}

# May fail: what needs these packages is then skipped with a word.
want() {
	(need "$@") || echo "== not installed ($*): what needs it is skipped"
}

needs_build="gcc libc6-dev meson ninja-build pkg-config python3 libjemalloc-dev libjson-c-dev liblz4-dev libmicrohttpd-dev libsodium-dev libzstd-dev ocl-icd-opencl-dev opencl-headers"
needs_run="ocl-icd-libopencl1 pocl-opencl-icd clinfo iproute2"
needs_tests="python3-prometheus-client"
needs_vm="qemu-system-x86 linux-image-amd64 busybox-static xz-utils"
