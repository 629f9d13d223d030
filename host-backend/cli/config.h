/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A guest described by a file: JSON, read by jansson. Its members are the long options of `tessera guest create` without the dashes, so
 * that a file says just what a command line would; "disks" is a list of objects whose "label" is that of --disk, and whose other members are
 * "image" and the options of `tessera disk attach`.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "host-backend/cli/cli.h"

#define CONFIG_MAX_WORDS 64u

/* A command line; its words belong to the configuration. */
struct config_line {
	int argc;
	char *argv[CONFIG_MAX_WORDS]; /* argv[0] is the command's last word, as a command expects it; NULL at the end */
};

struct config {
	char name[TSR_NAME_SIZE];                  /* the guest's; one that does not fit is refused by `guest create` */
	struct config_line guest;                  /* options of `guest create` */
	struct config_line disk[TSR_MAX_DEVICES];  /* arguments of `disk attach`: guest, label, image, options; for disks with an image */
	unsigned disks;
};

struct config_error {
	char text[256]; /* what, where, what to do */
};

/* 0, or -1 with error filled; then there is nothing to free. */
int config_read(struct config *config, const char *path, struct config_error *error);
/* The same from text; name stands for it in messages. */
int config_parse(struct config *config, const char *text, const char *name, struct config_error *error);
void config_free(struct config *config);

#endif
