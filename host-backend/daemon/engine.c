/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/engine.h"
#include <stdlib.h>
#include <string.h>

#define ENGINES 16u

static const struct engine *engines[ENGINES];

void engine_register(const struct engine *engine)
{
	for (uint32_t i = 0; i < ENGINES; i++) {
		if (!engines[i]) {
			engines[i] = engine;
			return;
		}
	}
	abort(); /* before main: more engines were linked in than there is room for */
}

const struct engine *engine_number(uint32_t number)
{
	return number < ENGINES ? engines[number] : NULL;
}

const struct engine *engine_find(const char *name)
{
	for (uint32_t i = 0; i < ENGINES && engines[i]; i++)
		if (!strcmp(engines[i]->name, name))
			return engines[i];
	return NULL;
}

/* For engines that do not submit. */
static int do_now(const struct image_io *image, const struct engine_io *io)
{
	int error;

	if (io->op == ENGINE_SYNC)
		return image->sync(image->context);
	if (io->op == ENGINE_WRITE)
		error = image->write(image->context, io->data, io->size, io->offset);
	else
		error = image->read(image->context, io->data, io->size, io->offset);
	return error ? error : (int)io->size;
}

void engine_submit(const struct engine *engine, const struct image_io *image, struct engine_io *io)
{
	io->context = image->context;
	if (engine->submit)
		engine->submit(io);
	else
		engine_done(io, do_now(image, io));
}
