#!/bin/bash
# test/gpu/check.sh: on a machine with an NVIDIA GPU and its driver: builds everything from this checkout, runs the tests natively and
# remoted, measures, and leaves a folder of results.  On a machine without one it says so and does what the machine has.
#   --out DIR        where the results go (default: build-gpu/results)
#   --minutes N      the whole run (default 9; 24 on fewer than 8 processors, where the build alone takes 8): steps that would
#                    begin later are left out and named
#   --only PATTERN   the steps whose names match (a glob)
#   --skip PATTERNS  not the steps whose names match one of them (commas between them)
# Needs meson, ninja, gcc and the development files of packaging/needs.sh; takes them from PREFIX/usr where PLENUM_GPU_PREFIX=PREFIX says so.
# PLENUM_TEST_TORCH: a Python that has PyTorch, PLENUM_TEST_LIBRARIES: one that has CuPy, numba, cuda-python (default: python3).
set -u
cd "$(dirname "$0")/../.."
out=build-gpu/results minutes= only='*' skip=
while [ $# -gt 0 ]; do
	case $1 in
	--out) out=$2; shift ;;
	--minutes) minutes=$2; shift ;;
	--only) only=$2; shift ;;
	--skip) skip=$2; shift ;;
	-h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) echo "$0: unknown option $1 (try --help)" >&2; exit 2 ;;
	esac
	shift
done
[ -n "$minutes" ] || { [ "$(nproc)" -lt 8 ] && minutes=24 || minutes=9; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
bin=$PWD/build-gpu/build icd=$PWD/build-gpu/build/src/client/opencl
begin=$(date +%s)
end=$((begin + $(awk "BEGIN { print int($minutes * 60) }")))

prefix=${PLENUM_GPU_PREFIX:-}
if [ -n "$prefix" ]; then
	export PKG_CONFIG_SYSROOT_DIR=$prefix PKG_CONFIG_LIBDIR=$prefix/usr/lib/x86_64-linux-gnu/pkgconfig:$prefix/usr/share/pkgconfig
	export CFLAGS="-I$prefix/usr/include" LDFLAGS="-L$prefix/usr/lib/x86_64-linux-gnu -Wl,-rpath,$prefix/usr/lib/x86_64-linux-gnu"
	export PATH=$PATH:$prefix/usr/bin LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$prefix/usr/lib/x86_64-linux-gnu
fi

# run NAME SECONDS COMMAND...: its output in $out/NAME.txt, a line in $out/.NAME; 77 = skipped, its last line says why.
run() {
	name=$1 limit=$2
	shift 2
	now=$(date +%s)
	if [ "$((now + 10))" -gt "$end" ]; then
		echo "SKIP $name: no time left" >"$out/.$name"
		return 0
	fi
	[ "$((now + limit))" -le "$end" ] || limit=$((end - now))
	timeout -k 5 "$limit" bash -c '"$@"' "$name" "$@" >"$out/$name.txt" 2>&1 </dev/null && status=0 || status=$?
	took=$(($(date +%s) - now))
	case $status in
	0) echo "ok   $name ($took s)" ;;
	77) echo "SKIP $name: $(tail -n 1 "$out/$name.txt" | sed 's/^SKIP: //; s/^skipped: //')" ;;
	124 | 137) echo "FAIL $name: not done after $limit s" ;;
	*) echo "FAIL $name: exit status $status ($took s)" ;;
	esac >"$out/.$name"
}

wanted() {
	IFS=, read -ra patterns <<<"$skip"
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2254
		case $1 in $pattern) return 1 ;; esac
	done
	# shellcheck disable=SC2254
	case $1 in $only) return 0 ;; esac
	return 1
}

tell() {
	cat "$out/.$1" >>"$out/summary.txt"
	if grep -q '^FAIL' "$out/.$1"; then
		tail -n 25 "$out/$1.txt" | cut -c 1-300 | sed 's/^/     | /' >>"$out/.$1"
	fi
	cat "$out/.$1"
	rm -f "$out/.$1"
}

# step: alone, as a measurement has to be.  start: beside others, half as many as there are processors.
step() {
	wanted "$1" || return 0
	run "$@"
	tell "$1"
}

start() {
	wanted "$1" || return 0
	while [ "$(jobs -pr | wc -l)" -ge "$(($(nproc) / 2 + 1))" ]; do wait -n; done
	{ run "$@"; tell "$1"; } &
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
	library=$(dirname "$(cuda_library native)")/libnvidia-ml.so.1
	[ -f "$library" ] || { echo "SKIP: no libnvidia-ml.so.1 here"; return 77; }
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

# A test of test/integration/test_cuda.py with that driver: it prints the same over shared memory and over TCP as natively.
cuda_remote() {
	have_cuda "$2" || return
	PLENUM_TEST_ONLY=$1 PLENUM_TEST_LIBCUDA=$(cuda_library "$2") PLENUM_TEST_PTX_DIR=$PWD/test/cuda \
		PLENUM_TEST_CUDA_CLIENT=$bin/src/client/cuda/libcuda.so.1 PLENUM_TEST_CUDA_PROGRAMS=$bin/test/cuda \
		PLENUM_TOOL=$bin/tools/plenum/plenum PLENUM_ICD_DIR=$icd python3 test/integration/test_cuda.py
}

# Programs whose memory together is more than a device is said to have.  That all of their memory comes and goes is the
# reference GPU's: hardware's smallest part is 2 MiB.
cuda_swap() {
	have_cuda "$1" || return
	only='test_*'
	[ "$1" = refgpu ] || only='test_i*,test_no*,test_programs_that*,test_w*,test_m*,test_a_*,test_e*'
	PLENUM_TEST_ONLY=$only PLENUM_TEST_PTX_DIR=$PWD/test/cuda PLENUM_TEST_CUDA_PROGRAMS=$bin/test/cuda PLENUM_TOOL=$bin/tools/plenum/plenum \
		PLENUM_ICD_DIR=$icd python3 test/integration/test_swap.py "$(cuda_library "$1")" "$bin/src/client/cuda/libcuda.so.1"
}

# A session that goes on out of a file: addresses and numbers of textures have to come out as they were.
cuda_checkpoint() {
	have_cuda "$1" || return
	PLENUM_TEST_PTX_DIR=$PWD/test/cuda PLENUM_TEST_CUDA_PROGRAMS=$bin/test/cuda PLENUM_TOOL=$bin/tools/plenum/plenum \
		PLENUM_ICD_DIR=$icd python3 test/integration/test_checkpoint.py "$(cuda_library "$1")" "$bin/src/client/cuda/libcuda.so.1"
}

cuda_library() {
	if [ "$1" = refgpu ]; then
		echo "$bin/src/refgpu/driver/libcuda.so.1"
	else
		{ ldconfig -p | sed -n 's/.*=> \(.*libcuda\.so\.1\)$/\1/p'
		find /usr/local/nvidia /usr/lib /usr/lib64 -name libcuda.so.1 2>/dev/null; } | head -n 1
	fi
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

# A program in one of the modes native, shm and tcp; over a server of its own.
in_mode() {
	driver=$1 mode=$2
	shift 2
	library=$(cuda_library "$driver")
	if [ "$mode" = native ]; then
		LD_LIBRARY_PATH=$(dirname "$library"):${LD_LIBRARY_PATH:-} "$@"
		return
	fi
	folder=$(mktemp -d)
	mkfifo "$folder/ready"
	head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$folder/token"
	chmod 600 "$folder/token"
	"$bin/tools/plenum/plenum" serve --cuda "$library" --listen "unix:$folder/s" --listen tcp://127.0.0.1:0 \
		--token-file "$folder/token" --ready-fd 3 3>"$folder/ready" 2>"$folder/log" &
	server=$!
	{ read -r unix; read -r tcp; } <"$folder/ready"
	if [ "$mode" = shm ]; then address=$unix; else address=$tcp; fi
	PLENUM=$address PLENUM_TOKEN=$(cat "$folder/token") LD_LIBRARY_PATH=$bin/src/client/cuda:${LD_LIBRARY_PATH:-} "$@"
	status=$?
	kill $server
	wait $server 2>/dev/null
	[ $status = 0 ] || cat "$folder/log" >&2
	rm -rf "$folder"
	return $status
}

# A program in all three modes at once: the lines of each are the native ones.
alike() {
	name=$1 driver=$2
	shift 2
	have_cuda "$driver" || return
	[ "$driver" != refgpu ] || export PLENUM_REFGPU_CAPABILITY=${PLENUM_REFGPU_CAPABILITY:-12.1} CUPY_COMPILE_WITH_PTX=1
	result=0
	for mode in native shm tcp; do
		in_mode "$driver" $mode "$@" >"$out/$name-$driver-$mode.txt" 2>"$out/$name-$driver-$mode.err" &
	done
	for job in $(jobs -p); do
		wait "$job" || result=$?
	done
	cat "$out/$name-$driver-native.txt"
	[ $result != 77 ] || return 77
	for mode in native shm tcp; do
		[ $result = 0 ] || tail -n 15 "$out/$name-$driver-$mode.err"
		diff "$out/$name-$driver-native.txt" "$out/$name-$driver-$mode.txt" || result=1
	done
	return $result
}

# PyTorch against itself on the CPU.
torch() {
	python=${PLENUM_TEST_TORCH:-python3}
	"$python" -c 'import torch' 2>/dev/null || { echo "SKIP: $python has no torch (PLENUM_TEST_TORCH names one that has)"; return 77; }
	alike torch "$1" "$python" test/gpu/torch_check.py
}

# NVIDIA's libraries and compilers, by CuPy, numba and cuda-python.
libraries() {
	python=${PLENUM_TEST_LIBRARIES:-python3}
	"$python" -c 'import numpy' 2>/dev/null || { echo "SKIP: $python has no numpy (PLENUM_TEST_LIBRARIES names one that has)"; return 77; }
	alike libraries "$1" "$python" test/gpu/libraries_check.py
}

# How long PyTorch takes, in each mode one after the other.
torch_time() {
	have_cuda "$1" || return
	python=${PLENUM_TEST_TORCH:-python3}
	"$python" -c 'import torch' 2>/dev/null || { echo "SKIP: $python has no torch"; return 77; }
	for mode in native shm tcp; do
		echo "== $mode"
		in_mode "$1" $mode "$python" test/gpu/torch_time.py --seconds 0.5 || return
	done
}

cuda_bench() {
	have_cuda native || return
	left=$((end - $(date +%s) - 12))
	[ "$left" -lt 80 ] || left=80
	"$bin/tools/plenum/plenum" bench "$@" --quick --quiet --limit "$left" --driver "$(dirname "$(cuda_library native)")" \
		--modes native,shm,tcp --plots "$out"
}

# The yardstick of the reference GPU: the same kernels in OpenCL and CUDA.
kernels_bench() {
	have_opencl || return
	"$bin/tools/plenum/plenum" bench kernels --quiet --modes native,refgpu,cuda --json "$out/kernels.json" --plots "$out"
}

rm -f "$out"/.[a-z]*
: >"$out/summary.txt"
export out icd bin end
export -f machine build have_opencl opencl_tests opencl_bench opencl_program nvml
export -f cuda_program cuda_remote cuda_swap cuda_checkpoint cuda_library have_cuda ptx_conformance in_mode alike torch libraries torch_time cuda_bench kernels_bench
export MALLOC_PERTURB_=0
step machine 30 machine
step build $(((end - begin) * 4 / 9)) build
if grep -q '^FAIL build' "$out/summary.txt"; then exit 1; fi
[ ! -f "$out/machine.txt" ] || cat "$out/machine.txt"
opencl_vendors

# What is right: many at once.
for driver in native refgpu; do
	start torch-$driver 240 torch $driver
	start libraries-$driver 180 libraries $driver
	for program in again answers faults graphs launch managed mapped order parts queries runtime share textures threads; do
		start "cuda-$program-$driver" 120 cuda_remote "test_${program}_prints_the_same" $driver
	done
	start "cuda-swap-$driver" 90 cuda_swap $driver
	start "cuda-checkpoint-$driver" 90 cuda_checkpoint $driver
	start "cuda-ends-$driver" 60 cuda_remote 'test_a_program_that_is_killed*,test_who_asks*,test_the_nodes*,test_sessions*' $driver
	for program in direct lease; do
		start "cuda-$program-$driver" 60 cuda_program $program $driver
	done
	start "ptx-$driver" 120 ptx_conformance $driver
done
for test in confine same; do
	start "opencl-$test" 120 opencl_tests $test
done
start nvml 60 nvml
wait
for driver in native refgpu; do # they fill the device's memory
	step cuda-memory-$driver 60 cuda_program memory $driver
	step cuda-process-$driver 60 cuda_program process $driver
done

# How fast: one after the other.
step torch-time 100 torch_time native
step micro-cuda 90 cuda_bench micro --api cuda --json "$out/cuda-micro.json"
step vmcuda 120 cuda_bench vmcuda --only 'app_*' --json "$out/vmcuda.json"
step opencl-counts 60 opencl_tests counts
step opencl-bench 120 opencl_bench
step kernels-bench 90 kernels_bench
step opencl-clpeak 60 opencl_program clpeak --kernel-latency --compute-sp
step opencl-clinfo 30 opencl_program clinfo -l

count() { grep -c "^$1" "$out/summary.txt"; }
echo "$(count ok) passed, $(count FAIL) failed, $(count SKIP) skipped" | tee -a "$out/summary.txt"
! grep -q '^FAIL' "$out/summary.txt"
