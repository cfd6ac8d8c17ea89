#!/bin/bash
# test/gpu/check.sh: on a machine with an NVIDIA GPU and its driver: builds everything from this checkout, runs the tests natively and
# remoted, measures, and leaves a folder of results.  On a machine without one it says so and does what the machine has.
#   --out DIR        where the results go (default: build-gpu/results)
#   --minutes N      the whole run (default 9): steps that would begin later are left out and named
#   --only PATTERN   the steps whose names match (a glob)
# Needs meson, ninja, gcc and the development files of packaging/needs.sh; takes them from PREFIX/usr where PLENUM_GPU_PREFIX=PREFIX says so.
set -u
cd "$(dirname "$0")/../.."
out=build-gpu/results minutes=9 only='*'
while [ $# -gt 0 ]; do
	case $1 in
	--out) out=$2; shift ;;
	--minutes) minutes=$2; shift ;;
	--only) only=$2; shift ;;
	-h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) echo "$0: unknown option $1 (try --help)" >&2; exit 2 ;;
	esac
	shift
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
bin=$PWD/build-gpu/build icd=$PWD/build-gpu/build/src/client/opencl
begin=$(date +%s)
end=$((begin + minutes * 60))
passed=0 failed=0 skipped=0

prefix=${PLENUM_GPU_PREFIX:-}
if [ -n "$prefix" ]; then
	export PKG_CONFIG_SYSROOT_DIR=$prefix PKG_CONFIG_LIBDIR=$prefix/usr/lib/x86_64-linux-gnu/pkgconfig:$prefix/usr/share/pkgconfig
	export CFLAGS="-I$prefix/usr/include" LDFLAGS="-L$prefix/usr/lib/x86_64-linux-gnu -Wl,-rpath,$prefix/usr/lib/x86_64-linux-gnu"
	export PATH=$PATH:$prefix/usr/bin LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$prefix/usr/lib/x86_64-linux-gnu
fi

# step NAME SECONDS COMMAND...: its output in $out/NAME.txt, a line in the summary; 77 = skipped, its last line says why.
step() {
	name=$1 limit=$2
	shift 2
	# shellcheck disable=SC2254
	case $name in $only) ;; *) return 0 ;; esac
	now=$(date +%s)
	if [ "$((now + 10))" -gt "$end" ]; then
		skipped=$((skipped + 1))
		echo "SKIP $name: no time left" | tee -a "$out/summary.txt"
		return 0
	fi
	[ "$((now + limit))" -le "$end" ] || limit=$((end - now))
	timeout -k 5 "$limit" bash -c '"$@"' "$name" "$@" >"$out/$name.txt" 2>&1 </dev/null && status=0 || status=$?
	took=$(($(date +%s) - now))
	case $status in
	0) passed=$((passed + 1)); line="ok   $name ($took s)" ;;
	77) skipped=$((skipped + 1)); line="SKIP $name: $(tail -n 1 "$out/$name.txt" | sed 's/^SKIP: //')" ;;
	124 | 137) failed=$((failed + 1)); line="FAIL $name: not done after $limit s" ;;
	*) failed=$((failed + 1)); line="FAIL $name: exit status $status ($took s)" ;;
	esac
	echo "$line" | tee -a "$out/summary.txt"
	[ "$status" = 0 ] || [ "$status" = 77 ] || tail -n 25 "$out/$name.txt" | cut -c 1-300 | sed 's/^/     | /'
	return 0
}

machine() {
	date -u +%FT%TZ
	uname -srm
	sed -n 's/^PRETTY_NAME=//p' /etc/os-release
	lscpu | grep -E '^(Model name|CPU\(s\)|Hypervisor)'
	free -g | sed -n 2p
	git log -1 --format='plenum %h' 2>/dev/null
	nvidia-smi --query-gpu=name,driver_version,memory.total,pcie.link.gen.current,pcie.link.width.current --format=csv 2>/dev/null ||
		echo "no NVIDIA driver here"
	nvcc --version 2>/dev/null | tail -n 2
	ldconfig -p | grep -E 'libcuda\.so|libOpenCL|libnvidia-opencl' || true
}

build() {
	command -v meson >/dev/null || python3 -m pip --version >/dev/null || return 1
	meson setup build-gpu/build -Dwerror=false 2>&1 | tail -n 20
	ninja -C build-gpu/build
}

# The vendor's OpenCL driver, whether or not the system lists it: a folder of .icd files.
opencl_vendors() {
	mkdir -p build-gpu/vendors
	library=$(ldconfig -p | sed -n 's/.*=> \(.*libnvidia-opencl\.so\.1\)$/\1/p' | head -n 1)
	[ -n "$library" ] || library=$(find /usr/local/nvidia /usr/lib /usr/lib64 -name 'libnvidia-opencl.so.1' 2>/dev/null | head -n 1)
	[ -z "$library" ] || echo "$library" >build-gpu/vendors/nvidia.icd
	if [ -f build-gpu/vendors/nvidia.icd ]; then
		export OCL_ICD_VENDORS=$PWD/build-gpu/vendors
	fi
}

have_opencl() {
	"$bin/test/opencl/devices" || { echo "SKIP: no OpenCL device here"; return 77; }
}

opencl_tests() {
	have_opencl || return
	PLENUM_TOOL=$bin/tools/plenum/plenum PLENUM_ICD_DIR=$icd PLENUM_TEST_PROGRAMS=$bin/test/opencl \
		python3 "test/integration/test_$1.py"
}

opencl_bench() {
	have_opencl || return
	"$bin/tools/plenum/plenum" bench micro --quick --quiet --modes native,shm,tcp --json "$out/opencl-micro.json" --plots "$out"
}

# What NVML answers natively and remoted; only functions that change nothing.
nvml() {
	library=$(ldconfig -p | sed -n 's/.*=> \(.*libnvidia-ml\.so\.1\)$/\1/p' | head -n 1)
	[ -n "$library" ] || { echo "SKIP: no libnvidia-ml.so.1 here"; return 77; }
	PLENUM_TOOL=$bin/tools/plenum/plenum PLENUM_TEST_CALLS=$bin/test/nvml/nvml-calls python3 test/nvml/hardware.py "$library"
}

# A program of the distribution, natively and through a server of its own.
opencl_program() {
	have_opencl || return
	command -v "$1" >/dev/null || { echo "SKIP: $1 is not installed"; return 77; }
	echo "== native"
	"$@" || return 1
	folder=$(mktemp -d)
	mkfifo "$folder/ready"
	"$bin/tools/plenum/plenum" serve --listen "unix:$folder/s" --ready-fd 3 3>"$folder/ready" 2>"$folder/log" &
	server=$!
	read -r address <"$folder/ready"
	echo "== shm"
	(unset OCL_ICD_VENDORS; "$bin/tools/plenum/plenum" run --server "$address" -- "$@")
	status=$?
	kill $server
	wait $server 2>/dev/null
	[ $status = 0 ] || cat "$folder/log"
	rm -rf "$folder"
	return $status
}

# A test program of test/cuda, on the vendor's driver or on the reference GPU.
cuda_program() {
	have_cuda "$2" || return
	PLENUM_TEST_LIBCUDA=$(cuda_library "$2") PLENUM_TEST_PTX_DIR=$PWD/test/cuda "$bin/test/cuda/cuda-$1"
}

cuda_library() {
	if [ "$1" = refgpu ]; then echo "$bin/src/refgpu/driver/libcuda.so.1"; else echo libcuda.so.1; fi
}

have_cuda() {
	[ "$1" = refgpu ] || nvidia-smi -L >/dev/null 2>&1 || { echo "SKIP: no NVIDIA GPU here"; return 77; }
}

# Every PTX instruction against the plain C reference: on hardware this checks the reference itself.
ptx_conformance() {
	have_cuda "$1" || return
	[ "$1" != refgpu ] || export LD_LIBRARY_PATH=$bin/src/refgpu/driver:${LD_LIBRARY_PATH:-}
	"$bin/test/ptx/test-ptx"
}

# PyTorch against itself on the CPU, natively and through a server of its own; then the lines of both are the same.
# PLENUM_TEST_TORCH: a Python that has PyTorch (default: python3).
torch() {
	have_cuda "$1" || return
	python=${PLENUM_TEST_TORCH:-python3}
	"$python" -c 'import torch' 2>/dev/null || { echo "SKIP: $python has no torch (PLENUM_TEST_TORCH names one that has)"; return 77; }
	library=$(cuda_library "$1")
	[ "$1" != refgpu ] || library_path=$bin/src/refgpu/driver
	echo "== native"
	LD_LIBRARY_PATH=${library_path:+$library_path:}${LD_LIBRARY_PATH:-} "$python" test/gpu/torch_check.py >"$out/torch-$1-native.txt"
	status=$?
	cat "$out/torch-$1-native.txt"
	[ "$status" = 0 ] || return "$status"
	folder=$(mktemp -d)
	mkfifo "$folder/ready"
	head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$folder/token"
	chmod 600 "$folder/token"
	"$bin/tools/plenum/plenum" serve --cuda "$library" --listen "unix:$folder/s" --listen tcp://127.0.0.1:0 \
		--token-file "$folder/token" --ready-fd 3 3>"$folder/ready" 2>"$folder/log" &
	server=$!
	{ read -r unix; read -r tcp; } <"$folder/ready"
	for address in "$unix" "$tcp"; do
		carrier=${address%%:*}
		echo "== $carrier"
		PLENUM=$address PLENUM_TOKEN=$(cat "$folder/token") LD_LIBRARY_PATH=$bin/src/client/cuda:${LD_LIBRARY_PATH:-} \
			"$python" test/gpu/torch_check.py >"$out/torch-$1-$carrier.txt" || status=1
		diff "$out/torch-$1-native.txt" "$out/torch-$1-$carrier.txt" || status=1
	done
	kill $server
	wait $server 2>/dev/null
	[ $status = 0 ] || cat "$folder/log"
	rm -rf "$folder"
	return $status
}

# The yardstick of the reference GPU: the same kernels in OpenCL and CUDA.
kernels_bench() {
	have_opencl || return
	"$bin/tools/plenum/plenum" bench kernels --quiet --modes native,refgpu,cuda --json "$out/kernels.json" --plots "$out"
}

: >"$out/summary.txt"
export out icd bin
export -f machine build have_opencl opencl_tests opencl_bench opencl_program nvml
export -f cuda_program cuda_library have_cuda ptx_conformance kernels_bench torch
export MALLOC_PERTURB_=0
step machine 30 machine
step build 240 build
cat "$out/machine.txt"
opencl_vendors
step opencl-devices 60 have_opencl
for test in confine same counts; do
	step "opencl-$test" 120 opencl_tests $test
done
for driver in native refgpu; do
	for program in parts memory order process runtime launch faults textures graphs; do
		[ ! -x "$bin/test/cuda/cuda-$program" ] || step "cuda-$program-$driver" 60 cuda_program $program $driver
	done
	[ ! -x "$bin/test/ptx/test-ptx" ] || step "ptx-$driver" 120 ptx_conformance $driver
done
step torch-native 240 torch native
step torch-refgpu 480 torch refgpu
step kernels-bench 90 kernels_bench
step opencl-bench 120 opencl_bench
step nvml 60 nvml
step opencl-clpeak 60 opencl_program clpeak --kernel-latency --compute-sp
step opencl-clinfo 30 opencl_program clinfo -l

echo "$passed passed, $failed failed, $skipped skipped" | tee -a "$out/summary.txt"
[ "$failed" = 0 ]
