/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * host_notify CHECK PROGRAM [ARGUMENT]...
 *
 * Starts a program as systemd does a service of Type=notify. When it says that it is ready, holds it, prints what it said, runs CHECK, a line of
 * shell, lets it go on and ends it. Its own status is 0 if all of that went well.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME  "@tsr-notify"
#define LIMIT 120 /* seconds */

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = NAME };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), checked, status = 0;
	char said[256];
	ssize_t n;
	pid_t child;

	address.sun_path[0] = '\0';
	if (argc < 3 || fd < 0 || bind(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + sizeof(NAME) - 1))
		return 2;
	setenv("NOTIFY_SOCKET", NAME, 1);
	child = fork();
	if (!child) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	alarm(LIMIT);
	n = recv(fd, said, sizeof(said) - 1, 0);
	if (child < 0 || n < 0)
		return 2;
	kill(child, SIGSTOP);
	said[n] = '\0';
	puts(said);
	fflush(stdout);
	checked = system(argv[1]);
	kill(child, SIGTERM);
	kill(child, SIGCONT);
	return waitpid(child, &status, 0) == child && !checked && !status ? 0 : 1;
}
