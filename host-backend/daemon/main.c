/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* tesserad: serves one sealed block device of one guest. See --help. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"
#include "host-backend/daemon/options.h"
#include "host-backend/daemon/serve.h"
#include "host-backend/daemon/shared.h"

static void waiting(const char *path)
{
	log_line("%s is still locked by another process or by requests of one that was killed; waiting for them to end", path);
}

static int open_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
		log_line("%s: opening the log failed: %s", path, strerror(errno));
		return -1;
	}
	close(fd);
	return 0;
}

/*
 * The parent stays until the child has attached (a byte in the pipe) or ended, and passes on its exit status, so that a script
 * knows whether the disk is there. Returns the pipe's end to write to, or -1.
 */
static int go_to_background(void)
{
	int ready[2], status, null;
	char byte;
	pid_t child = pipe2(ready, O_CLOEXEC) ? -1 : fork();

	if (child < 0) {
		log_line("going to the background failed: %s", strerror(errno));
		return -1;
	}
	if (child) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) == 1)
			_exit(0);
		_exit(waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	close(ready[0]);
	setsid();
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	return ready[1];
}

/* Before any thread, so that all inherit it and only the signalfd takes them. */
static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int run(struct disk *disk, struct backend *backend, int signals)
{
	static struct session session;
	enum serve_end end;

	if (session_init(&session, disk, backend))
		return 1;
	end = serve(&session, signals);
	disk_report(disk);
	/* The module lets go of the windows before their memory goes. */
	backend_detach(backend);
	session_fini(&session);
	return end == SERVE_FAILED || atomic_load(&disk->failed);
}

/* An empty image, where nothing but zeros is at the place of its head. */
static int create(const struct image_io *io, uint64_t blocks, struct image_error *error)
{
	static uint8_t head[IMAGE_RECORD_OFFSET];
	uint8_t id[16];

	if (io->size < sizeof(head) || io->read(io->context, head, sizeof(head), 0))
		head[0] = 1; /* whatever is wrong, loading says it */
	for (size_t i = 0; i < sizeof(head); i++)
		if (head[i])
			return 0;
	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	return image_create(io, blocks, id, true, error);
}

static int load(const struct options *options, const struct engine *engine, struct image *image)
{
	struct engine_where where = {
		.name = options->image,
		.read_only = options->read_only,
		.create = options->create ? image_bytes(options->create) : 0,
		.waiting = waiting,
	};
	struct image_error error = { "no random bytes" };
	struct image_io io = { 0 };

	if (engine->open(&io, &where, &error)) {
		log_line("%s", error.text);
		return -1;
	}
	if ((options->create && create(&io, options->create, &error)) || image_load(image, &io, options->read_only, &error)) {
		log_line("%s: %s", options->image, error.text);
		return -1;
	}
	log_line("%s: %llu blocks, %llu of them written, %llu records dropped", options->image,
		 (unsigned long long)image->report.blocks, (unsigned long long)image->report.pairs,
		 (unsigned long long)(image->report.rejected + image->report.broken));
	return 0;
}

int main(int argc, char **argv)
{
	static struct image image;
	static struct disk disk;
	static char prefix[128] = "tesserad: ";
	const struct engine *engine;
	struct medium medium;
	struct options options;
	struct backend backend;
	int status = options_parse(&options, argc, argv), ready = -1, signals, error;

	if (status >= 0)
		return status;
	backend_name(prefix + strlen(prefix), sizeof(prefix) - strlen(prefix), options.guest, options.device);
	log_prefix(prefix);
	if (options.log && open_log(options.log))
		return 1;
	if (!options.foreground) {
		ready = go_to_background();
		if (ready < 0)
			return 1;
	}
	signals = catch_signals();
	if (signals < 0 || !shared_init()) {
		log_line("no signals or no random bytes: %s", strerror(errno));
		return 1;
	}
	engine = engine_find(options.engine);
	if (load(&options, engine, &image))
		return 1;
	if (backend_attach(&backend, options.guest, options.device))
		return 1;
	if (engine->medium)
		engine->medium(image.io.context, &medium, options.read_only, image_zone_end(&image.store.super, 0), backend.iommu, options.bounce_always);
	else
		medium_copy(&medium, TSR_BACKEND_WHY_ENGINE);
	medium_say(&medium);
	disk_init(&disk, &image, engine, &medium, backend.page);
	disk.through = options.write_through;
	if (ready >= 0 && write(ready, "", 1) != 1)
		log_line("the parent has gone");
	status = run(&disk, &backend, signals);
	error = image_close(&image);
	if (error)
		log_line("%s: closing it failed: %s; what the guest flushed before is safe", options.image, strerror(-error));
	engine->close(image.io.context);
	return status || error;
}
