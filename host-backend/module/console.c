// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* A guest's console output: a ring with a position for each reader. Who reads too slowly loses the oldest bytes. */
#include <linux/anon_inodes.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

struct console_reader {
	struct tsr_guest *guest; /* counted */
	struct mutex lock;
	u64 pos;
};

int tsr_console_init(struct tsr_console *console)
{
	spin_lock_init(&console->lock);
	init_waitqueue_head(&console->wait);
	init_waitqueue_head(&console->turn);
	console->ring = kvzalloc(TSR_CONSOLE_SIZE, GFP_KERNEL);
	return console->ring ? 0 : -ENOMEM;
}

void tsr_console_free(struct tsr_console *console)
{
	kvfree(console->ring);
}

void tsr_console_write(struct tsr_console *console, const struct tsr_run_exit *exit)
{
	u32 i;

	if (!exit->console_len && exit->reason != TSR_RUN_ENDED)
		return;
	/* What comes before was told to another virtual CPU's thread, which is on its way here; or to nobody any more. */
	wait_event_timeout(console->turn, READ_ONCE(console->next) >= exit->console_at, HZ);
	spin_lock(&console->lock);
	console->next = exit->console_at + exit->console_len;
	for (i = 0; i < exit->console_len; i++)
		console->ring[console->head++ % TSR_CONSOLE_SIZE] = exit->console[i];
	spin_unlock(&console->lock);
	wake_up_interruptible(&console->wait);
	wake_up(&console->turn);
}

void tsr_console_end(struct tsr_console *console)
{
	spin_lock(&console->lock);
	console->ended = true;
	spin_unlock(&console->lock);
	wake_up_interruptible_all(&console->wait);
}

/* Takes up to max bytes at *pos; sets *ended if there will never be more. */
static u32 take(struct tsr_console *console, u64 *pos, u8 *out, u32 max, bool *ended)
{
	u32 n;

	spin_lock(&console->lock);
	if (console->head - *pos > TSR_CONSOLE_SIZE)
		*pos = console->head - TSR_CONSOLE_SIZE;
	for (n = 0; n < max && *pos < console->head; n++)
		out[n] = console->ring[(*pos)++ % TSR_CONSOLE_SIZE];
	*ended = console->ended && *pos == console->head;
	spin_unlock(&console->lock);
	return n;
}

static bool readable(struct tsr_console *console, u64 pos)
{
	bool yes;

	spin_lock(&console->lock);
	yes = console->head != pos || console->ended;
	spin_unlock(&console->lock);
	return yes;
}

static ssize_t console_read(struct file *file, char __user *buf, size_t count, loff_t *unused)
{
	struct console_reader *reader = file->private_data;
	struct tsr_console *console = &reader->guest->console;
	ssize_t total = 0;
	bool ended;
	u8 part[256];

	if (!count)
		return 0;
	if (mutex_lock_interruptible(&reader->lock))
		return -ERESTARTSYS;
	while (total < count) {
		u64 before = reader->pos;
		u32 n = take(console, &reader->pos, part, min(count - total, sizeof(part)), &ended);

		if (n && copy_to_user(buf + total, part, n)) {
			reader->pos = before;
			total = total ? total : -EFAULT;
			break;
		}
		total += n;
		if (n)
			continue;
		if (total || ended)
			break;
		if (file->f_flags & O_NONBLOCK) {
			total = -EAGAIN;
			break;
		}
		if (wait_event_interruptible(console->wait, readable(console, reader->pos))) {
			total = -ERESTARTSYS;
			break;
		}
	}
	mutex_unlock(&reader->lock);
	return total;
}

static __poll_t console_poll(struct file *file, poll_table *wait)
{
	struct console_reader *reader = file->private_data;
	struct tsr_console *console = &reader->guest->console;
	__poll_t mask = 0;

	poll_wait(file, &console->wait, wait);
	if (readable(console, READ_ONCE(reader->pos)))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(console->ended))
		mask |= EPOLLHUP;
	return mask;
}

static int console_release(struct inode *inode, struct file *file)
{
	struct console_reader *reader = file->private_data;

	tsr_guest_put(reader->guest);
	kfree(reader);
	return 0;
}

static const struct file_operations console_fops = {
	.owner = THIS_MODULE,
	.read = console_read,
	.poll = console_poll,
	.release = console_release,
};

int tsr_console_open(struct tsr_guest *guest)
{
	struct console_reader *reader = kzalloc(sizeof(*reader), GFP_KERNEL_ACCOUNT);
	int fd;

	if (!reader)
		return -ENOMEM;
	mutex_init(&reader->lock);
	kref_get(&guest->ref);
	reader->guest = guest;
	fd = anon_inode_getfd("[tessera-console]", &console_fops, reader, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		tsr_guest_put(guest);
		kfree(reader);
	}
	return fd;
}
