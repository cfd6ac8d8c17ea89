#!/bin/sh
# `plenum vm` for real: boots guests.  usage: test-vm.sh PLENUM [NAME...]
# Without names: the essential cases, or all with PLENUM_VM_ALL=1.  Exit status 77: skipped.
set -u
plenum=$1
shift
work=$(mktemp -d "${TMPDIR:-/tmp}/plenum-test-vm-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
export TMPDIR="$work/tmp"
mkdir "$TMPDIR"
failed=0
limit_s=900     # of one guest, against hangs only: a guest is emulated, and others may use the machine
log=$work/log

for need in qemu-system-x86_64 busybox; do
	command -v "$need" >/dev/null || { echo "SKIP: virtual machine: no $need"; exit 77; }
done
ls /boot/vmlinuz-* >/dev/null 2>&1 || { echo "SKIP: virtual machine: no kernel in /boot"; exit 77; }

# vm ARGS...: one bounded run without a server
vm() {
	timeout $limit_s "$plenum" vm --server none "$@"
}

children() {    # PID
	grep -l "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status 2>/dev/null | cut -d / -f 3
}

expect() {      # WHAT EXPECTED GOT
	[ "$2" = "$3" ] && return 0
	printf '%s: expected "%s", got "%s"\n' "$1" "$2" "$3"
	return 1
}

test_streams_and_status() {
	vm run -n -- /bin/sh -c 'echo out; echo err >&2; echo more >/dev/stderr; exit 7' \
		>"$work/out" 2>"$work/err"
	expect status 7 $? && expect stdout out "$(cat "$work/out")" &&
		expect stderr "err
more" "$(cat "$work/err")"
}

test_binary_output_is_exact() {
	head -c 3145728 /dev/urandom >"$work/binary"
	vm run -n -- cat "$work/binary" >"$work/out" && cmp "$work/binary" "$work/out"
}

test_slow_reader_gets_everything() {
	vm run -n -- head -c 3000000 /dev/zero | { sleep 12; wc -c; } >"$work/out"
	expect bytes 3000000 "$(cat "$work/out")"
}

test_binary_input_is_exact() {
	head -c 1048576 /dev/urandom >"$work/binary"
	sum=$(sha256sum <"$work/binary")
	expect sum "$sum" "$(cat "$work/binary" | vm run -- sha256sum)"
}

test_file_as_input_is_exact() {
	head -c 1048576 /dev/urandom >"$work/binary"
	expect "sum of a file" "$(sha256sum <"$work/binary")" "$(vm run -- sha256sum <"$work/binary")"
}

test_unread_input_does_not_hang() {
	yes | head -c 5000000 | vm run -- sh -c 'exec <&-; sleep 1; echo done' >"$work/out"
	expect stdout done "$(cat "$work/out")"
}

test_arguments_and_environment_are_exact() {
	bytes=$(printf '%b' "$(awk 'BEGIN { for (i = 1; i < 256; i++) printf "\\0%03o", i }')"; echo .)
	bytes=${bytes%.}
	printf '%s|' "$bytes" '' "two
lines" 'quotes "'"'"' $x `y`' "a  b=c " >"$work/expected"
	A_NAME="a  b=c " vm -e "OTHER=x y" -e HOST_ONLY_NOT_SET run -n -- sh -c \
		'printf "%s|" "$@" "$A_NAME"; test "$OTHER" = "x y" && ! test "${HOST_ONLY_NOT_SET+1}"' \
		sh "$bytes" '' "two
lines" 'quotes "'"'"' $x `y`' >"$work/out"
	expect status 0 $? && cmp "$work/expected" "$work/out"
}

test_missing_program_is_127() {
	vm run -n -- /nonexistent/program >"$work/out" 2>"$work/err"
	expect status 127 $? && grep -q 'No such file' "$work/err"
}

test_text_without_permission_is_126() {
	echo text >"$work/text"
	vm run -n -- "$work/text" 2>"$work/err"
	expect status 126 $?
}

test_signal_is_128_plus() {
	vm run -n -- sh -c 'kill -SEGV $$'
	expect status 139 $?
}

test_host_files_are_seen_and_not_written() {
	echo host >"$work/file"
	chmod 755 "$work"
	(cd "$work" && vm run -n -- sh -c 'pwd; cat file; echo guest >file; echo x >new; rm -r tmp
		mkdir /etc/plenum-test /plenum-test; touch /usr/bin/plenum-test; cat file new' >out)
	expect stdout "$work
host
guest
x" "$(cat "$work/out")" && expect file host "$(cat "$work/file")" || return 1
	for path in "$work/new" /etc/plenum-test /plenum-test /usr/bin/plenum-test; do
		[ ! -e "$path" ] || { echo "$path reached the host"; return 1; }
	done
	[ -d "$work/tmp" ]
}

# An OpenCL program in a guest has the host's device and gives the same answers; without Plenum it has none.
opencl_as_natively() {  # LINK
	program=${PLENUM_TEST_PROGRAMS:-build/test/opencl}/transfers
	[ -x "$program" ] && "$program" >"$work/native" 2>&1 ||
		{ echo "SKIP: virtual machine: no OpenCL device or program to compare with"; return 0; }
	timeout $limit_s "$plenum" vm --link "$1" run -n -- "$program" >"$work/out" 2>"$work/err"
	expect status 0 $? && cmp "$work/native" "$work/out"
}

test_opencl_is_as_natively() {
	opencl_as_natively tcp || return 1
	vm run -n -- "${PLENUM_TEST_PROGRAMS:-build/test/opencl}/transfers" >"$work/out" 2>"$work/err"
	expect "status without a server" 1 "$(($? != 0))"
}

test_opencl_over_ivshmem_is_as_natively() {
	opencl_as_natively ivshmem
}

test_opencl_over_vsock_is_as_natively() {
	"$plenum" doctor 2>/dev/null | grep -q '^OK *vsock' || {
		timeout $limit_s "$plenum" vm --link vsock run -n -- true 2>"$work/err"
		expect status 125 $? && grep -q 'no vsock for the guest' "$work/err" || return 1
		echo "SKIP: no vsock to guests here; the refusal was checked"
		return 0
	}
	opencl_as_natively vsock
}

# Counted by QEMU: what left the guest in twice as many launches, beyond what woke somebody, and its clock's.
test_ivshmem_traps_are_wakeups_only() {
	program=${PLENUM_TEST_PROGRAMS:-build/test/opencl}/steady
	[ -x "$program" ] && "$program" sync 1 >/dev/null 2>&1 || { echo "SKIP: no OpenCL device or program"; return 0; }
	for turns in 1000 3000; do
		PLENUM_STATS=/dev/stderr timeout $limit_s "$plenum" vm --link ivshmem --traps "$work/traps" run -n -- \
			"$program" sync $turns >"$work/out" 2>"$work/err" || return 1
		wakeups=$(sed -n 's/.*"wakeups": \([0-9]*\).*/\1/p' "$work/err")
		asks=$(sed -n 's/.*"asks": \([0-9]*\).*/\1/p' "$work/err")
		device=$(grep -c "name 'ivshmem" "$work/traps")
		echo "$turns launches: $asks round trips, $wakeups wake-ups, $(grep -c virtio_queue_notify "$work/traps") \
kicks, $device accesses to the ivshmem device"
		kicks_before=${kicks:-0} wakeups_before=${total:-0} asks_before=${all_asks:-0} device_before=${devices:-0}
		kicks=$(grep -c virtio_queue_notify "$work/traps") total=$wakeups all_asks=$asks devices=$device
	done
	expect "round trips of 2000 launches" 2000 $((all_asks - asks_before)) &&
		expect "more accesses to the device" 0 $((devices - device_before)) || return 1
	# a byte each way takes a kick, its answer's acknowledgement another; the rest of the machine makes some hundreds
	[ $((kicks - kicks_before)) -le $((4 * (total - wakeups_before > 0 ? total - wakeups_before : 0) + 1000)) ] ||
		{ echo "2000 launches: $((kicks - kicks_before)) kicks, $((total - wakeups_before)) wake-ups"; return 1; }
}

# Lanes between two processes of a guest, over the vsock of its own kernel.
test_lanes_over_vsock_in_a_guest() {
	suite=$(dirname "$0")/../../build/test/contract/contract-lane
	suite=${PLENUM_TEST_CONTRACT:-$suite}
	[ -x "$suite" ] && [ "$(id -u)" = 0 ] || { echo "SKIP: no suite, or not root in the guest"; return 0; }
	vm run -n -- sh -c 'modprobe vsock_loopback || exit 77; "$1" vsock && "$1" ivshmem-vsock' sh "$suite" \
		>"$work/out" 2>"$work/err"
	r=$?
	[ $r != 77 ] || { echo "SKIP: the guest's kernel has no vsock_loopback"; return 0; }
	expect status 0 $r && grep -q '^ivshmem-vsock: memory is used again' "$work/out"
}

test_links_that_do_not_fit_are_named() {
	vm --link serial run true 2>"$work/err"
	expect status 2 $? && grep -q -- --link "$work/err" || return 1
	vm --region 100M run true 2>"$work/err"
	expect status 2 $? && grep -q -- --region "$work/err" || return 1
	timeout $limit_s "$plenum" vm --link vsock --server tcp://127.0.0.1:1 run true 2>"$work/err"
	expect status 125 $? && grep -q "server's address" "$work/err" || return 1
	timeout $limit_s "$plenum" vm --server 'ivshmem:/nonexistent;tcp://127.0.0.1:1' run true 2>"$work/err"
	expect status 125 $? && grep -q 'the server makes it' "$work/err"
}

test_private_server_is_named() {
	timeout $limit_s "$plenum" vm run -n -- sh -c 'echo "$PLENUM"; cat "$OCL_ICD_VENDORS"/*.icd; echo ${#PLENUM_TOKEN}' \
		>"$work/out" 2>"$work/err"
	expect status 0 $? && grep -q '^tcp://10.0.2.2:[0-9]*$' "$work/out" && grep -q 'plenum-opencl' "$work/out" &&
		expect "length of the token" 32 "$(tail -n 1 "$work/out")"
}

test_unknown_user_identity_is_kept() {
	vm run -n -- sh -c 'id -u; id -g; id -G' >"$work/out"
	expect identity "$(id -u; id -g; id -G)" "$(cat "$work/out")"
}

test_timeout_is_124() {
	vm --timeout 12 run -n -- sleep 300 2>"$work/err"
	expect status 124 $? && grep -q 'longer than 12 s' "$work/err"
}

test_closed_output_ends_the_program() {
	{ vm run -n -- yes; echo $? >"$work/status"; } | head -n 1 >"$work/out"
	expect stdout y "$(cat "$work/out")" && expect status 141 "$(cat "$work/status")"
}

# The guest ends by itself when nobody takes its farewell; what it said must not be lost with it.
test_a_tool_that_was_stopped_loses_nothing() {
	"$plenum" vm --server none run -n -- sh -c 'echo started; sleep 5; seq 1 3000; exit 7' >"$work/out" 2>"$work/err" &
	pid=$!
	for _ in $(seq 1200); do
		grep -q started "$work/out" && break
		sleep 0.1
	done
	kill -STOP "$pid"
	child=$(children "$pid")
	for _ in $(seq 1200); do
		grep -q '^State:.*[^Z] (' "/proc/$child/status" 2>/dev/null || break
		sleep 0.1
	done
	kill -CONT "$pid"
	wait "$pid"
	expect status 7 $? && expect output "$(echo started; seq 1 3000)" "$(cat "$work/out")"
}

test_background_processes_do_not_hold_it() {
	vm run -n -- sh -c 'sleep 100 & echo started' >"$work/out"
	expect status 0 $? && expect stdout started "$(cat "$work/out")"
}

test_termination_leaves_nothing() {
	: >"$work/out"
	"$plenum" vm run -n -- sh -c 'echo started; sleep 300' >"$work/out" 2>"$work/err" &
	pid=$!
	for _ in $(seq 600); do
		grep -q started "$work/out" && break
		sleep 0.1
	done
	children=$(children "$pid")
	[ -n "$children" ] || { echo "no QEMU and no server"; return 1; }
	kill -TERM "$pid"
	wait "$pid"
	expect status 143 $? || return 1
	for child in $children; do
		! kill -0 "$child" 2>/dev/null || { echo "process $child lives"; return 1; }
	done
	expect "temporary files" "" "$(ls "$TMPDIR")"
}

test_killed_tool_takes_qemu_along() {
	: >"$work/out"
	"$plenum" vm --server none run -n -- sh -c 'echo started; sleep 300' >"$work/out" &
	pid=$!
	for _ in $(seq 600); do
		grep -q started "$work/out" && break
		sleep 0.1
	done
	child=$(children "$pid")
	[ -n "$child" ] || { echo "no QEMU"; return 1; }
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	for _ in $(seq 50); do
		kill -0 "$child" 2>/dev/null || break
		sleep 0.1
	done
	rm -rf "$TMPDIR"/*
	! kill -0 "$child" 2>/dev/null
}

# A QEMU that stands in for KVM: it boots ($1 = boots) or hangs.
fake_kvm() {
	mkdir -p "$work/bin"
	cat >"$work/bin/qemu-system-x86_64" <<-EOF
		#!/bin/sh
		case " \$* " in *" -accel kvm "*)
			echo kvm >>"$work/kvm-starts"
			[ $1 = boots ] || exec sleep 300
			while [ \$# -gt 0 ]; do
				case \$1 in -kernel) kernel=\$2;; -initrd) initrd=\$2;; -chardev) chardev=\$2;; esac
				shift
			done
			exec $(command -v qemu-system-x86_64) -nodefaults -no-reboot -display none -m 256M \
				-kernel "\$kernel" -initrd "\$initrd" -append "console=ttyS0 quiet plenum.probe" \
				-chardev "\$chardev" -serial chardev:console
		esac
		exec $(command -v qemu-system-x86_64) "\$@"
	EOF
	chmod +x "$work/bin/qemu-system-x86_64"
	rm -f "$work/kvm-starts"
	rm -rf "$work/cache"
}

test_kvm_that_hangs_is_found_out_once() {
	[ -w /dev/kvm ] || { echo "SKIP: no /dev/kvm"; return 0; }
	fake_kvm hangs
	for _ in 1 2; do
		out=$(PATH="$work/bin:$PATH" XDG_CACHE_HOME="$work/cache" vm run -n -- echo guest)
		expect stdout guest "$out" || return 1
	done
	expect "KVM starts" kvm "$(cat "$work/kvm-starts")" &&
		grep -q ' no$' "$work/cache/plenum/kvm-probe"
}

test_kvm_that_boots_is_remembered() {
	[ -w /dev/kvm ] || { echo "SKIP: no /dev/kvm"; return 0; }
	fake_kvm boots
	# the run itself must be stopped: the stand-in only knows the trial boot
	PATH="$work/bin:$PATH" XDG_CACHE_HOME="$work/cache" vm --timeout 15 run -n -- true
	grep -q ' yes$' "$work/cache/plenum/kvm-probe"
}

# A QEMU that boots nothing, $1 times; then the real one.
silent_qemu() {
	mkdir -p "$work/bin"
	: >"$work/starts"
	cat >"$work/bin/qemu-system-x86_64" <<-EOF
		#!/bin/sh
		echo start >>"$work/starts"
		[ \$(wc -l <"$work/starts") -gt $1 ] || exec sleep 3000
		exec $(command -v qemu-system-x86_64) "\$@"
	EOF
	chmod +x "$work/bin/qemu-system-x86_64"
}

# The second one has all of the input, for the first had none.
test_guest_that_is_silent_is_started_again() {
	silent_qemu 1
	head -c 100000 /dev/urandom >"$work/binary"
	out=$(PATH="$work/bin:$PATH" vm --accel tcg --boot-silence 15 run -- sha256sum <"$work/binary" 2>"$work/err")
	expect "sum in the second guest" "$(sha256sum <"$work/binary")" "$out" &&
		expect "starts of QEMU" 2 "$(wc -l <"$work/starts")" && grep -q 'silent for 15 s.*again' "$work/err"
}

test_guest_that_stays_silent_is_given_up() {
	silent_qemu 9
	PATH="$work/bin:$PATH" vm --accel tcg --boot-silence 5 run -n -- true 2>"$work/err"
	expect status 125 $? && expect "starts of QEMU" 2 "$(wc -l <"$work/starts")" &&
		grep -q 'did not boot' "$work/err"
}

test_missing_packages_are_named() {
	mkdir -p "$work/empty"
	: >"$work/nothing"
	[ -x /usr/bin/qemu-system-x86_64 ] && unshare -m true 2>/dev/null ||
		{ echo "SKIP: virtual machine: no right to hide QEMU (root outside of a chroot)"; return 0; }
	for hidden in /usr/bin/qemu-system-x86_64 "$(command -v busybox)"; do
		unshare -m sh -c 'mount --bind "$1" "$2" && exec "$3" vm --server none run true' sh \
			"$work/nothing" "$hidden" "$plenum" 2>"$work/err"
		expect status 125 $? && grep -q 'install the package' "$work/err" || return 1
	done
	unshare -m sh -c 'mount --bind "$1" /boot && exec "$2" vm --server none run true' sh \
		"$work/empty" "$plenum" 2>"$work/err"
	expect status 125 $? && grep -q linux-image-amd64 "$work/err"
}

test_wrong_usage_is_named() {
	vm run 2>"$work/err"
	expect status 2 $? && grep -q 'takes a program' "$work/err" || return 1
	vm --boot-silence 1 run true 2>"$work/err"
	expect status 2 $? && grep -q -- --boot-silence "$work/err" || return 1
	vm --memory 3 run true 2>"$work/err"
	expect status 2 $? && grep -q -- --memory "$work/err" || return 1
	vm --kernel /etc/passwd run true 2>"$work/err"
	expect status 125 $? && grep -q 'cannot use the kernel' "$work/err" || return 1
	vm --kernel /nonexistent run true 2>"$work/err"
	expect status 125 $? && grep -q 'No such file' "$work/err" || return 1
	PLENUM_GUEST_DIR=/nonexistent vm run true 2>"$work/err"
	expect status 125 $?
}

test_terminal() {
	command -v script >/dev/null || { echo "SKIP: no script(1)"; return 0; }
	script -qec "timeout $limit_s $plenum vm --server none run -t -- sh -c 'tty; stty size; exit 3'" \
		"$work/typescript" </dev/null >"$work/out" 2>&1
	expect status 3 $? && grep -q /dev/pts/ "$work/out"
}

essential="streams_and_status binary_output_is_exact binary_input_is_exact arguments_and_environment_are_exact
	missing_program_is_127 host_files_are_seen_and_not_written opencl_is_as_natively opencl_over_ivshmem_is_as_natively
	opencl_over_vsock_is_as_natively ivshmem_traps_are_wakeups_only links_that_do_not_fit_are_named termination_leaves_nothing
	guest_that_is_silent_is_started_again missing_packages_are_named wrong_usage_is_named"
# shellcheck disable=SC2086
[ $# -gt 0 ] || [ "${PLENUM_VM_ALL:-0}" = 1 ] || set -- $essential
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(sed -n 's/^test_\([a-z0-9_]*\)() {$/\1/p' "$0")
for name; do
	start=$(date +%s)
	if "test_$name" >"$log" 2>&1; then
		echo "ok   $name ($(($(date +%s) - start)) s)"
		grep '^SKIP:' "$log"
	else
		echo "FAIL $name"
		sed 's/^/     /' "$log" "$work/err" 2>/dev/null
		failed=1
	fi
	if [ -n "$(ls "$TMPDIR")" ]; then
		echo "FAIL $name left files: $(ls "$TMPDIR")"
		rm -rf "${TMPDIR:?}"/*
		failed=1
	fi
done
exit $failed
