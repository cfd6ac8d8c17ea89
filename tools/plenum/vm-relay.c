// SPDX-License-Identifier: Apache-2.0
/*
 * The host's event loop: one thread, no descriptor of ours blocks it.  The
 * guest says how many bytes each stream had; the run ends when they were all
 * written, so output is complete or the run has failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include "vm-internal.h"
#include "vm-proto.h"

#define BUFFER_BYTES   65536u
#define TAIL_BYTES     4096u            /* of the console, shown when the boot fails */
#define CTL_QUEUE_MAX  64u              /* limit: waiting messages; window sizes go first */

struct stream {                 /* guest to one of our standard streams */
	char buffer[BUFFER_BYTES];
	size_t at, len;         /* unwritten bytes */
	uint64_t passed;        /* bytes written or dropped */
	uint64_t total;         /* valid once `ended` */
	int to_fd;
	size_t chunk_bytes;     /* a pipe that polls writable takes this much without blocking */
	bool ended;
	bool shut;              /* its reader went away */
	bool gone;              /* QEMU has closed it, and all was read */
};

struct relay {
	const struct pl_vm_options *options;
	struct pl_vm_qemu *qemu;
	struct stream streams[2];
	char input[BUFFER_BYTES];
	size_t input_at, input_len;
	uint64_t input_total;
	bool input_eof, input_told;
	const char *job;
	size_t job_at, job_len;
	struct pl_vm_msg queue[CTL_QUEUE_MAX];
	size_t queue_at_bytes, queue_len_bytes; /* bytes sent of, and in, `queue` */
	char incoming[sizeof(struct pl_vm_msg)];
	size_t incoming_len;
	char tail[TAIL_BYTES];
	size_t tail_len;
	uint64_t start_ms;
	uint64_t heard_ms;      /* when the console said something last */
	uint64_t silence_ms;    /* of the console, while it boots, that is taken for the end */
	bool ready, exited, progress;
	bool ctl_gone, console_gone; /* as a stream's `gone` */
	int status;
	int signal_fd;
	int signal_caught;
	struct termios terminal;        /* what ours was like, while `raw` */
	bool raw;
};

enum {                          /* slots of the poll set */
	SLOT_SIGNAL,
	SLOT_CONSOLE,
	SLOT_CTL,
	SLOT_INPUT,
	SLOT_INPUT_PORT,
	SLOT_OUT,
	SLOT_OUT_PORT = SLOT_OUT + 2,
	SLOTS = SLOT_OUT_PORT + 2,
};

static void progress_clear(struct relay *relay)
{
	if (relay->progress)
		fputs("\r\033[K", stderr);
	relay->progress = false;
}

static void progress_show(struct relay *relay, const char *text)
{
	if (relay->options->verbose || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[Kplenum vm: %s", text);
	relay->progress = true;
}

static void stream_init(struct stream *stream, int to_fd)
{
	struct stat st;
	bool regular = fstat(to_fd, &st) == 0 && S_ISREG(st.st_mode);

	*stream = (struct stream){ .to_fd = to_fd,
				   .chunk_bytes = regular ? BUFFER_BYTES : PIPE_BUF };
}

static void ctl_post(struct relay *relay, uint32_t type, uint32_t arg, uint64_t value)
{
	size_t index;

	if (relay->queue_at_bytes == relay->queue_len_bytes)
		relay->queue_at_bytes = relay->queue_len_bytes = 0;
	index = relay->queue_len_bytes / sizeof(struct pl_vm_msg);
	/* the last slots belong to messages that come at most once */
	if (index >= CTL_QUEUE_MAX - (type == PL_VM_MSG_WINDOW ? 8 : 0))
		return;
	relay->queue[index] = (struct pl_vm_msg){ .type = type, .arg = arg, .value = value };
	relay->queue_len_bytes += sizeof(struct pl_vm_msg);
}

static void window_post(struct relay *relay)
{
	struct winsize size;

	if (relay->options->tty && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ctl_post(relay, PL_VM_MSG_WINDOW, size.ws_row, size.ws_col);
}

/* From here on every key is the guest's, ^C too. */
static void terminal_take(struct relay *relay)
{
	struct termios mode;

	progress_clear(relay);
	if (tcgetattr(STDIN_FILENO, &relay->terminal) < 0)
		return;
	mode = relay->terminal;
	cfmakeraw(&mode);
	relay->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) == 0;
}

static void terminal_restore(struct relay *relay)
{
	if (relay->raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &relay->terminal);
	relay->raw = false;
}

static void take_message(struct relay *relay, const struct pl_vm_msg *msg)
{
	if (msg->type == PL_VM_MSG_READY) {
		pl_cleanup(pl_freep) char *text = NULL;
		uint64_t ms = pl_vm_now_ms() - relay->start_ms;

		relay->ready = true;
		text = pl_vm_format("running %s (booted in %u.%u s)", relay->options->argv[0],
				    (unsigned int)(ms / 1000), (unsigned int)(ms % 1000 / 100));
		if (text && relay->options->verbose)
			pl_vm_say("%s", text);
		else if (text)
			progress_show(relay, text);
		if (relay->options->tty)
			terminal_take(relay);
	} else if (msg->type == PL_VM_MSG_STREAM_END && (msg->arg == 1 || msg->arg == 2)) {
		relay->streams[msg->arg - 1].ended = true;
		relay->streams[msg->arg - 1].total = msg->value;
	} else if (msg->type == PL_VM_MSG_EXIT) {
		relay->exited = true;
		relay->status = (int)(msg->arg & 255);
	}
}

/* After read(): QEMU holds the other end as long as it lives, and what it wrote can be read after its death. */
static bool at_end(ssize_t n)
{
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void serve_ctl(struct relay *relay, short revents)
{
	int fd = relay->qemu->port_fds[PL_VM_CTL];

	if (revents & POLLOUT) {
		bool job = relay->job_at < relay->job_len;
		const char *data = job ? relay->job + relay->job_at :
					 (const char *)relay->queue + relay->queue_at_bytes;
		size_t len = job ? relay->job_len - relay->job_at :
				   relay->queue_len_bytes - relay->queue_at_bytes;
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			*(job ? &relay->job_at : &relay->queue_at_bytes) += (size_t)n;
	}
	if (revents & (POLLIN | POLLHUP | POLLERR)) {
		ssize_t n = read(fd, relay->incoming + relay->incoming_len,
				 sizeof(relay->incoming) - relay->incoming_len);

		relay->ctl_gone = at_end(n);
		if (n > 0)
			relay->incoming_len += (size_t)n;
		if (relay->incoming_len == sizeof(relay->incoming)) {
			struct pl_vm_msg msg;

			memcpy(&msg, relay->incoming, sizeof(msg));
			relay->incoming_len = 0;
			take_message(relay, &msg);
		}
	}
}

static void serve_console(struct relay *relay)
{
	char text[1024];
	ssize_t n = read(relay->qemu->console_fd, text, sizeof(text));
	size_t keep;

	relay->console_gone = at_end(n);
	if (n <= 0)
		return;
	relay->heard_ms = pl_vm_now_ms();
	if (relay->options->verbose)
		(void)pl_vm_write_all(STDERR_FILENO, text, (size_t)n);
	keep = relay->tail_len + (size_t)n > TAIL_BYTES ? TAIL_BYTES - (size_t)n : relay->tail_len;
	memmove(relay->tail, relay->tail + relay->tail_len - keep, keep);
	memcpy(relay->tail + keep, text, (size_t)n);
	relay->tail_len = keep + (size_t)n;
}

static void serve_stream_write(struct relay *relay, struct stream *stream, uint32_t number)
{
	size_t len = stream->len < stream->chunk_bytes ? stream->len : stream->chunk_bytes;
	ssize_t n;

	progress_clear(relay);
	n = write(stream->to_fd, stream->buffer + stream->at, len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		stream->shut = true;
		ctl_post(relay, PL_VM_MSG_STREAM_SHUT, number, 0);
		n = (ssize_t)stream->len;
	}
	stream->at += (size_t)n;
	stream->len -= (size_t)n;
	stream->passed += (size_t)n;
}

static void serve_stream_read(struct stream *stream, int port_fd)
{
	ssize_t n = read(port_fd, stream->buffer, sizeof(stream->buffer));

	stream->gone = at_end(n);
	if (n <= 0)
		return;
	if (stream->shut) {
		stream->passed += (size_t)n;
		return;
	}
	stream->at = 0;
	stream->len = (size_t)n;
}

static void serve_input(struct relay *relay)
{
	ssize_t n = read(STDIN_FILENO, relay->input, sizeof(relay->input));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		relay->input_eof = true;
		return;
	}
	relay->input_at = 0;
	relay->input_len = (size_t)n;
	relay->input_total += (size_t)n;
}

static void serve_input_port(struct relay *relay)
{
	ssize_t n = send(relay->qemu->port_fds[PL_VM_STDIN], relay->input + relay->input_at,
			 relay->input_len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n <= 0)
		return;
	relay->input_at += (size_t)n;
	relay->input_len -= (size_t)n;
}

static void serve_signal(struct relay *relay)
{
	struct signalfd_siginfo info;

	if (read(relay->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		window_post(relay);
	else
		relay->signal_caught = (int)info.ssi_signo;
}

static bool input_wanted(const struct relay *relay)
{
	if (relay->input_eof || relay->input_len || !relay->ready || relay->exited || relay->ctl_gone)
		return false;
	/* a terminal that is in another job's hands would stop us */
	return !isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static bool finished(const struct relay *relay)
{
	for (int i = 0; i < 2; i++) {
		const struct stream *stream = &relay->streams[i];

		if (!stream->ended || stream->len || stream->passed < stream->total)
			return false;
	}
	return relay->exited;
}

/* QEMU has ended, and what it left has been taken. */
static bool lost(const struct relay *relay)
{
	for (int i = 0; i < 2; i++) {
		if (!relay->streams[i].gone || relay->streams[i].len)
			return false;
	}
	return relay->ctl_gone && relay->console_gone;
}

static void poll_set(const struct relay *relay, struct pollfd *set)
{
	bool queued = relay->job_at < relay->job_len ||
		      relay->queue_at_bytes < relay->queue_len_bytes;
	const int *ports = relay->qemu->port_fds;

	for (int i = 0; i < SLOTS; i++)
		set[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	set[SLOT_SIGNAL].fd = relay->signal_fd;
	set[SLOT_CONSOLE].fd = relay->console_gone ? -1 : relay->qemu->console_fd;
	set[SLOT_CTL].fd = relay->ctl_gone ? -1 : ports[PL_VM_CTL];
	if (queued)
		set[SLOT_CTL].events |= POLLOUT;
	if (input_wanted(relay))
		set[SLOT_INPUT].fd = STDIN_FILENO;
	if (relay->input_len && !relay->ctl_gone)
		set[SLOT_INPUT_PORT] = (struct pollfd){ ports[PL_VM_STDIN], POLLOUT, 0 };
	for (int i = 0; i < 2; i++) {
		const struct stream *stream = &relay->streams[i];

		if (stream->len)
			set[SLOT_OUT + i] = (struct pollfd){ stream->to_fd, POLLOUT, 0 };
		else if (!stream->gone)
			set[SLOT_OUT_PORT + i].fd = ports[PL_VM_STDOUT + i];
	}
}

static void serve(struct relay *relay, const struct pollfd *set)
{
	if (set[SLOT_SIGNAL].revents)
		serve_signal(relay);
	for (int i = 0; i < 2; i++) {
		if (set[SLOT_OUT + i].revents)
			serve_stream_write(relay, &relay->streams[i], (uint32_t)i + 1);
		else if (set[SLOT_OUT_PORT + i].revents)
			serve_stream_read(&relay->streams[i],
					  relay->qemu->port_fds[PL_VM_STDOUT + i]);
	}
	if (set[SLOT_INPUT].revents)
		serve_input(relay);
	if (set[SLOT_INPUT_PORT].revents)
		serve_input_port(relay);
	if (relay->input_eof && !relay->input_len && !relay->input_told) {
		relay->input_told = true;
		ctl_post(relay, PL_VM_MSG_STDIN_END, 0, relay->input_total);
	}
	if (set[SLOT_CTL].revents)
		serve_ctl(relay, set[SLOT_CTL].revents);
	if (set[SLOT_CONSOLE].revents)
		serve_console(relay);
}

static int explain_loss(struct relay *relay)
{
	progress_clear(relay);
	terminal_restore(relay);
	if (relay->tail_len && !relay->options->verbose)
		(void)pl_vm_write_all(STDERR_FILENO, relay->tail, relay->tail_len);
	pl_vm_say(relay->ready ? "the guest ended before the program did" :
				 "the guest did not boot; --verbose shows all it said");
	return relay->ready ? PL_VM_E_GUEST : PL_VM_E_BOOT;
}

/* What it said is lost with it, and of no use to whoever waits for the next one. */
static int explain_silence(struct relay *relay, bool last)
{
	if (last)
		return explain_loss(relay);
	progress_clear(relay);
	pl_vm_say("the guest has been silent for %u s while it booted: starting it again",
		  (unsigned int)(relay->silence_ms / 1000));
	return PL_VM_E_SILENT;
}

static int loop(struct relay *relay, uint64_t deadline_ms, bool last, int *status_out)
{
	while (!finished(relay)) {
		uint64_t now_ms = pl_vm_now_ms(), wake_ms = now_ms + 1000;
		struct pollfd set[SLOTS];

		if (deadline_ms && now_ms >= deadline_ms) {
			progress_clear(relay);
			terminal_restore(relay);
			pl_vm_say("%s took longer than %u s", relay->options->argv[0],
				  relay->options->timeout_s);
			return PL_VM_E_TIMEOUT;
		}
		if (lost(relay))
			return explain_loss(relay);
		if (!relay->ready && now_ms - relay->heard_ms >= relay->silence_ms)
			return explain_silence(relay, last);
		if (deadline_ms && deadline_ms < wake_ms)
			wake_ms = deadline_ms;
		poll_set(relay, set);
		if (poll(set, SLOTS, (int)(wake_ms - now_ms)) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		serve(relay, set);
		if (relay->signal_caught) {
			progress_clear(relay);
			*status_out = 128 + relay->signal_caught;
			return 0;
		}
	}
	progress_clear(relay);
	*status_out = relay->status;
	return 0;
}

int pl_vm_relay_run(const struct pl_vm_options *options, struct pl_vm_qemu *qemu,
		    const struct pl_vm_job_data *job, uint64_t deadline_ms, bool last, int *status_out)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	sigset_t signals;
	int r;

	if (!relay)
		return -ENOMEM;
	pl_vm_signals(&signals);
	relay->options = options;
	relay->qemu = qemu;
	relay->job = job->data;
	relay->job_len = job->len_bytes;
	relay->start_ms = relay->heard_ms = pl_vm_now_ms();
	relay->silence_ms = options->boot_silence_s * 1000ull * (last ? PL_VM_LAST_SILENCE : 1);
	relay->input_eof = relay->input_told = options->no_stdin;
	stream_init(&relay->streams[0], STDOUT_FILENO);
	stream_init(&relay->streams[1], STDERR_FILENO);
	relay->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (relay->signal_fd < 0) {
		free(relay);
		return -errno;
	}
	progress_show(relay, "booting...");
	r = loop(relay, deadline_ms, last, status_out);
	terminal_restore(relay);
	close(relay->signal_fd);
	free(relay);
	return r;
}
