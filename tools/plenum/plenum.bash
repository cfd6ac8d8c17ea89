# bash completion for plenum(1) and plenumd(8)

_plenum_options() {
	case $1 in
	serve) echo "--listen --token-file --generate-token --tls --allow-uid --allow-all-users --peer --memory-limit --host-limit
		--objects-limit --inflight-limit --lanes-limit --sessions-limit --grace --spare --oversubscribe --device-memory
		--oversubscribe-stay --checkpoints --checkpoints-wait --module-cache --module-cache-apart --driver --cuda --nvml
		--ready-fd --foreground --confine --worker-read --worker-write --worker-uids
		--quiet --verbose --help" ;;
	run) echo "--server --keep-local --help" ;;
	devices) echo "--server --keep-local --native --json --help" ;;
	ps) echo "--server --kill --json --help" ;;
	top) echo "--server --delay --count --help" ;;
	metrics) echo "--server --listen --help" ;;
	checkpoint | restore) echo "--wait --server --help" ;;
	suspend) echo "--wait --server --help" ;;
	resume) echo "--server --help" ;;
	limit) echo "--memory --objects --host --inflight --server --help" ;;
	drain) echo "--server --for --release --wait --help" ;;
	stats) echo "--server --watch --json --help" ;;
	trace) echo "--text --json --output --from --server --cuda --keep-local --help" ;;
	doctor) echo "--server --json --help" ;;
	vm) echo "--accel --boot-silence --cpus --env --icd --keep --kernel --link --memory --no-stdin --region --server --timeout
		--token-file --traps --tty --verbose --help run shell" ;;
	bench) echo "--api --modes --json --plots --list --only --quick --idle --busy --rounds --slices --limit --platform --clpeak --shoc
		--samples --driver --from --plenum --worker --icd --peer-pocld --peer-icd --quiet --help micro apps kernels vmcuda" ;;
	refgpu) echo "--json --tool --error-exitcode --output --kernel --help run check disasm info stats" ;;
	version) echo "--json --help" ;;
	help) echo "$_plenum_commands" ;;
	esac
}

_plenum_commands="serve run devices ps stats top metrics limit suspend resume checkpoint restore drain trace doctor vm refgpu bench version help"

_plenum() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} first=2 i
	COMPREPLY=()
	if [[ ${COMP_WORDS[0]##*/} == plenumd ]]; then
		verb=serve first=1
	elif ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$_plenum_commands --help --version" -- "$cur")
		return
	fi
	# behind -- stands another program's command line
	for ((i = first; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- && ( $verb == run || $verb == trace || $verb == vm || $verb == refgpu ) ]]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			fi
			return
		fi
	done
	case $prev in
	--token-file | --driver | --json | --output | --from | --kernel | --icd | --plots | --clpeak | --shoc | --samples | --plenum | \
		--worker | --peer-pocld | --peer-icd | --checkpoints | --worker-read | --worker-write | --traps | -o)
		[[ $prev == --json && $verb != trace && $verb != bench ]] || {
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		}
		;;
	--api)
		[[ $verb == bench ]] && mapfile -t COMPREPLY < <(compgen -W "opencl cuda" -- "$cur")
		return
		;;
	--cuda | --nvml)
		mapfile -t COMPREPLY < <(
			compgen -W "refgpu$([[ $verb == serve ]] && echo " off")" -- "$cur"
			compgen -f -- "$cur"
		)
		return
		;;
	--allow-uid)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		return
		;;
	--link)
		mapfile -t COMPREPLY < <(compgen -W "tcp ivshmem vsock" -- "$cur")
		return
		;;
	--confine)
		mapfile -t COMPREPLY < <(compgen -W "on off" -- "$cur")
		return
		;;
	--accel)
		mapfile -t COMPREPLY < <(compgen -W "auto kvm tcg" -- "$cur")
		return
		;;
	--modes)
		mapfile -t COMPREPLY < <(compgen -W "native shm tcp vm vm-tcp vm-ivshmem vm-vsock vms mtu1500 mtu9000 peer refgpu cuda" -- "$cur")
		return
		;;
	--tool | -t)
		[[ $verb == refgpu ]] && {
			mapfile -t COMPREPLY < <(compgen -W "all memcheck racecheck synccheck initcheck globalinit leakcheck" -- "$cur")
			return
		}
		;;
	disasm | --kernel | -k)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--listen | -l)
		[[ $verb == metrics ]] && mapfile -t COMPREPLY < <(compgen -W "http://127.0.0.1:9464" -- "$cur")
		[[ $verb == metrics ]] && return
		mapfile -t COMPREPLY < <(compgen -W "unix: tcp://" -- "$cur")
		[[ ${COMPREPLY[0]-} ]] && compopt -o nospace
		return
		;;
	--server | -s)
		mapfile -t COMPREPLY < <(compgen -W "unix: tcp://" -- "$cur")
		[[ ${COMPREPLY[0]-} ]] && compopt -o nospace
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$(_plenum_options "$verb")" -- "$cur")
}

complete -F _plenum plenum plenumd
