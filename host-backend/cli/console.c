// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera console: a guest's output, and typing into it where the guest's owner allows that. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "host-backend/cli/cli.h"

#define ESCAPE 0x1d /* Ctrl-] */

struct session {
	int fd, console;
	int stop; /* ends it when it can be read, or -1 */
	uint32_t guest;
	bool follow, input;
};

static bool write_all(const char *bytes, ssize_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, (size_t)len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= n;
		}
	}
	return true;
}

/* 1: some was there; 0: the guest has ended; -1: nothing now (errno EAGAIN) or an error. */
static int show(int console)
{
	char buffer[4096];
	ssize_t n = read(console, buffer, sizeof(buffer));

	if (n <= 0)
		return (int)n;
	return write_all(buffer, n) ? 1 : -1;
}

/* Sends what was typed; the guest's receive buffer is small, so what it does not take is offered again. */
static bool send_input(struct session *s, const char *bytes, size_t len)
{
	while (len) {
		struct tsr_ioc_console_input arg = { .guest = s->guest };
		struct pollfd wait = { .fd = s->console, .events = POLLIN };
		int taken;

		arg.input.len = len < sizeof(arg.input.bytes) ? (uint32_t)len : (uint32_t)sizeof(arg.input.bytes);
		memcpy(arg.input.bytes, bytes, arg.input.len);
		taken = host_call(s->fd, TSR_IOC_CONSOLE_INPUT, &arg);
		if (taken < 0)
			return false;
		bytes += taken;
		len -= (size_t)taken;
		if (len && poll(&wait, 1, 20) > 0 && show(s->console) == 0)
			return true;
	}
	return true;
}

/* 1: go on; 0: leave; -1: the guest refused the input. */
static int take_typed(struct session *s)
{
	char buffer[256], *escape;
	ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));

	if (n < 0)
		return errno == EINTR ? 1 : 0;
	escape = memchr(buffer, ESCAPE, (size_t)n);
	if (!send_input(s, buffer, escape ? (size_t)(escape - buffer) : (size_t)n))
		return -1;
	if (!n)
		s->input = false; /* end of a file: what it said still gets its answer */
	return !escape;
}

static int follow(struct session *s)
{
	for (;;) {
		struct pollfd wait[3] = {
			{ .fd = s->console, .events = POLLIN },
			{ .fd = s->input ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = s->stop, .events = POLLIN },
		};
		int typed = 1;

		if (poll(wait, 3, -1) < 0 && errno != EINTR)
			return cli_fail("the console cannot be followed: %s", strerror(errno));
		if (wait[0].revents) {
			int shown = show(s->console);

			if (!shown)
				return CLI_OK;
			if (shown < 0 && errno != EAGAIN && errno != EINTR)
				return cli_fail("the console cannot be shown: %s", strerror(errno));
		}
		if (wait[1].revents)
			typed = take_typed(s);
		if (typed < 0)
			return cli_fail("typing is refused: %s", errno == EPERM ?
					"the guest was made without --console-input, which is measured and cannot be changed later" :
					host_error(errno));
		if (!typed || wait[2].revents)
			return CLI_OK;
	}
}

static bool open_console(struct session *s)
{
	s->console = host_call(s->fd, TSR_IOC_CONSOLE, &s->guest);
	if (s->console >= 0 && !fcntl(s->console, F_SETFL, O_NONBLOCK))
		return true;
	cli_fail("the console cannot be opened: %s", host_error(errno));
	return false;
}

int console_follow(int fd, uint32_t guest, int stop)
{
	struct session s = { .fd = fd, .guest = guest, .stop = stop };
	int ret;

	if (!open_console(&s))
		return CLI_FAILED;
	ret = follow(&s);
	close(s.console);
	return ret;
}

/* Characters go to the guest as they are typed; the guest echoes them. */
static bool make_raw(struct termios *before)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, before))
		return false;
	raw = *before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
	raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR);
	return !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void say_end(struct session *s)
{
	struct tsr_ioc_guest guest;

	if (host_guest_info(s->fd, s->guest, &guest) && guest.info.state == TSR_GUEST_STOPPED)
		fprintf(stderr, "\ntessera: the guest has %s\n", guest_state_text(&guest));
}

static int run_console(const struct cli_command *self, int argc, char **argv)
{
	static const struct option options[] = { { "follow", no_argument, NULL, 'f' }, { "input", no_argument, NULL, 'i' }, {} };
	struct tsr_ioc_config config;
	struct session s = { .stop = -1 };
	struct termios before;
	bool raw;
	int c, ret;

	while ((c = getopt_long(argc, argv, "fi", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage(self, "an option is not known");
		s.follow = true;
		s.input |= c == 'i';
	}
	if (argc - optind != 1)
		return cli_usage(self, "name one guest");
	s.fd = host_open();
	if (s.fd < 0 || !host_find(s.fd, argv[optind], &config))
		return CLI_FAILED;
	s.guest = config.guest;
	if (!open_console(&s))
		return CLI_FAILED;
	if (!s.follow) {
		do {
			ret = show(s.console);
		} while (ret > 0);
		return ret < 0 && errno != EAGAIN ? cli_fail("the console cannot be shown: %s", strerror(errno)) : CLI_OK;
	}
	if (s.input && isatty(STDIN_FILENO))
		fprintf(stderr, "tessera: typing goes to guest %s; leave with Ctrl-]\n", config.name);
	raw = s.input && make_raw(&before);
	ret = follow(&s);
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	say_end(&s);
	return ret;
}

const struct cli_command cli_console = {
	.name = "console",
	.summary = "show a guest's console, follow it, type into it",
	.help = "Usage: tessera console GUEST [--follow] [--input]\n\n"
		"Prints the last 64 KiB of what the guest wrote to its serial port.\n\n"
		"  --follow   go on until the guest ends\n"
		"  --input    follow, and send what is typed; only for guests made with --console-input. Ctrl-] leaves\n\n"
		"Examples:\n  tessera console demo\n  tessera console demo --follow\n  tessera console demo --input\n",
	.run = run_console,
};
