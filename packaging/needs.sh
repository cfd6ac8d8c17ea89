# Sourced by ./demo and ./check: installs the Debian packages that are missing.
# need PACKAGE...: as root or through sudo; without either says what to install and ends.

need() {
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
	$as_root apt-get -qq -o DPkg::Lock::Timeout=600 update >/dev/null 2>&1 || true
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=600 \
		install --no-install-recommends $missing >/dev/null || {
		echo "$0: could not install:$missing" >&2
		exit 1
	}
}

# May fail: what needs these packages is then skipped with a word.
want() {
	(need "$@") || echo "== not installed ($*): what needs it is skipped"
}

needs_build="gcc libc6-dev meson ninja-build pkg-config python3 libjson-c-dev ocl-icd-opencl-dev opencl-headers"
needs_run="ocl-icd-libopencl1 pocl-opencl-icd clinfo"
needs_vm="qemu-system-x86 linux-image-amd64 busybox-static"
