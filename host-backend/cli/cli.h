/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The `tessera` command: what its subcommands share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include <tessera/host.h>

/* A subcommand returns one of these. */
enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command {
	const char *name; /* one or two words */
	const char *summary;
	const char *help; /* usage, options and examples: also what manual pages and completion are made of */
	const struct cli_command *options_of; /* takes that one's options as well, or NULL */
	int (*run)(const struct cli_command *self, int argc, char **argv); /* argv[0] is the name's last word */
};

extern const struct cli_command
	cli_info, cli_counters, cli_dma_faults, cli_top, cli_measure, cli_complete, cli_console, cli_token_list,
	cli_guest_create, cli_guest_run, cli_guest_start, cli_guest_list, cli_guest_show, cli_guest_stop, cli_guest_pause, cli_guest_resume, cli_guest_destroy,
	cli_disk_attach, cli_disk_detach, cli_disk_resize, cli_image_create, cli_image_check, cli_image_grow, cli_image_repair;

/* All of them, those of one group together. */
const struct cli_command *const *cli_commands(size_t *count);

/* "tessera: ..." and a newline on standard error; returns CLI_FAILED. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same and where to find help; returns CLI_USAGE. */
int cli_usage(const struct cli_command *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ------------------------------------------------------------------ the host module: device.c */

/* /dev/tessera, or -1 after saying why not. */
int host_open(void);
/* ioctl that is repeated when interrupted. */
int host_call(int fd, unsigned long request, void *arg);
/* What an errno of the host module means, and what to do. */
const char *host_error(int err);
/* A guest by name or number; false if there is none. */
bool host_has(int fd, const char *name_or_id, struct tsr_ioc_config *config);
/* The same; false after saying that there is none. */
bool host_find(int fd, const char *name_or_id, struct tsr_ioc_config *config);
/* The next live guest with an id of at least *id, which it moves past that. False with errno 0 after the last one. */
bool host_next(int fd, uint32_t *id, struct tsr_ioc_guest *guest);
bool host_guest_info(int fd, uint32_t id, struct tsr_ioc_guest *guest);
/* What serves a guest's device says of itself: report->mode is 0 if nobody does. */
void host_backend(int fd, uint32_t guest, uint32_t device, struct tsr_ioc_backend *report);
/* How it moves data, in words, and in one; NULL if it does not say. */
const char *backend_text(const struct tsr_ioc_backend *report);
const char *backend_mode(const struct tsr_ioc_backend *report);
/* Why not all of it directly; "" if there is no such reason. */
const char *backend_reason(const struct tsr_ioc_backend *report);
/* A device of the guest's by label or number; -1 after saying that there is none. */
int host_device(const struct tsr_ioc_config *config, const char *label_or_number);

/* Shows a guest's console until the guest ends, or stop (a descriptor, or -1) can be read. CLI_OK, or CLI_FAILED after saying why not. console.c */
int console_follow(int fd, uint32_t guest, int stop);

/* --size of an image, in blocks; optind is then at the other arguments. False after saying what is wrong. image.c */
bool image_size_option(const struct cli_command *self, int argc, char **argv, uint64_t *blocks);

/* Ends the process that serves a device of the guest's, and waits for it. CLI_OK, or CLI_FAILED after saying why not. disk.c */
int disk_end(int fd, struct tsr_ioc_config *config, int device);

/* ------------------------------------------------------------------ text.c */

/* Sizes like 512M, 1G, 4096; suffixes K, M, G, T are powers of 1024. */
bool text_size(const char *text, uint64_t *bytes);
/* A number, decimal or 0x hexadecimal, up to max. */
bool text_number(const char *text, uint64_t max, uint64_t *number);
/* Pairs of hexadecimal digits, at most size bytes; the rest becomes zero. */
bool text_hex(const char *text, uint8_t *bytes, size_t size);
/* A guest's name: 1 to 31 of A-Z a-z 0-9 - _ . */
bool text_name(const char *text);
/* A device's label: 1 to 32 printable characters without spaces. */
bool text_label(const char *text, uint8_t label[TSR_LABEL_SIZE]);

void print_hex(FILE *out, const uint8_t *bytes, size_t size);
/* A label, with anything unprintable as ? */
void print_label(FILE *out, const uint8_t label[TSR_LABEL_SIZE]);
const char *guest_state_text(const struct tsr_ioc_guest *guest); /* "running", "stopped: power-off", ... */

/* ------------------------------------------------------------------ dma_text.c */

/* One refused access for people, without the line's end; driver: of the device in this host, or NULL. */
void print_dma_fault(FILE *out, const struct tsr_dma_fault *fault, const char *driver);
/* The same for programs; the caller owns it. */
struct json_t *dma_fault_json(const struct tsr_dma_fault *fault, const char *driver);

/* ------------------------------------------------------------------ json.c */

/* --json, where it is the only option; optind is then at the other arguments. False after saying what is wrong. */
bool json_option(const struct cli_command *self, int argc, char **argv, bool *json);
/* Writes a value and the line's end to standard output, and lets go of it; an exit code. NULL: there was no memory for it. */
int print_json(struct json_t *value);
/* A text of at most max bytes that come from elsewhere; and up to TSR_ID_SIZE bytes in hexadecimal. */
struct json_t *json_bytes(const void *bytes, size_t max);
struct json_t *json_hex(const uint8_t *bytes, size_t size);

/* ------------------------------------------------------------------ files.c */

/* A whole file, mapped read-only. */
struct cli_file {
	void *data;
	uint64_t size;
};
bool file_map(struct cli_file *file, const char *path);
void file_unmap(struct cli_file *file);

#endif
