// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* A backend's descriptor: read, poll, ioctl and io_uring commands. */
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "kernel.h"

/* Everything an ioctl or command can bring; copied once from where user space can still write. */
union payload {
	struct tsr_ioc_window window;
	struct tsr_ioc_map map;
	struct tsr_ioc_maps maps;
	struct tsr_ioc_copy copy;
	struct tsr_token token;
	struct tsr_ioc_doorbell doorbell;
	u32 event;
};

static int next_event(struct tsr_backend *backend, struct tsr_backend_event *event)
{
	struct tsr_guest *guest = backend->guest;
	struct tsr_slot *slot = &guest->slot[backend->device];
	int ret = -EAGAIN;

	spin_lock(&guest->slot_lock);
	if (slot->connected) {
		slot->connected = false;
		*event = slot->connect;
		ret = 1;
	} else if (guest->ended && !backend->ended_read) {
		backend->ended_read = true;
		*event = (struct tsr_backend_event){ .type = TSR_BACKEND_ENDED };
		ret = 1;
	} else if (guest->ended) {
		ret = 0;
	}
	spin_unlock(&guest->slot_lock);
	return ret;
}

static bool has_event(struct tsr_backend *backend)
{
	struct tsr_guest *guest = backend->guest;
	bool yes;

	spin_lock(&guest->slot_lock);
	yes = guest->slot[backend->device].connected || guest->ended;
	spin_unlock(&guest->slot_lock);
	return yes;
}

static ssize_t backend_read(struct file *file, char __user *buf, size_t count, loff_t *unused)
{
	struct tsr_backend *backend = file->private_data;
	struct tsr_backend_event event;
	int ret;

	if (count < sizeof(event))
		return -EINVAL;
	for (;;) {
		ret = next_event(backend, &event);
		if (ret != -EAGAIN || file->f_flags & O_NONBLOCK)
			break;
		if (wait_event_interruptible(backend->guest->slot[backend->device].wait, has_event(backend)))
			return -ERESTARTSYS;
	}
	if (ret <= 0)
		return ret;
	return copy_to_user(buf, &event, sizeof(event)) ? -EFAULT : sizeof(event);
}

static __poll_t backend_poll(struct file *file, poll_table *wait)
{
	struct tsr_backend *backend = file->private_data;

	poll_wait(file, &backend->guest->slot[backend->device].wait, wait);
	return has_event(backend) ? EPOLLIN | EPOLLRDNORM : 0;
}

static size_t payload_size(u32 cmd)
{
	switch (cmd) {
	case TSR_IOC_WINDOW:
		return sizeof(struct tsr_ioc_window);
	case TSR_IOC_MAP:
		return sizeof(struct tsr_ioc_map);
	case TSR_IOC_MAPS:
		return sizeof(struct tsr_ioc_maps);
	case TSR_IOC_COPY:
		return sizeof(struct tsr_ioc_copy);
	case TSR_IOC_UNMAP:
		return sizeof(struct tsr_token);
	case TSR_IOC_DOORBELL:
		return sizeof(struct tsr_ioc_doorbell);
	case TSR_IOC_RAISE:
		return sizeof(u32);
	}
	return 0;
}

static long backend_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct tsr_backend *backend = file->private_data;
	size_t size = payload_size(cmd);
	union payload p;

	if (!size)
		return -ENOTTY;
	if (copy_from_user(&p, (void __user *)arg, size))
		return -EFAULT;
	switch (cmd) {
	case TSR_IOC_WINDOW:
		return tsr_backend_window(backend, &p.window);
	case TSR_IOC_MAP:
		return tsr_backend_map(backend, &p.map, false);
	case TSR_IOC_MAPS:
		return tsr_backend_maps(backend, &p.maps);
	case TSR_IOC_COPY:
		return tsr_backend_copy(backend, &p.copy, false);
	case TSR_IOC_UNMAP:
		return tsr_backend_unmap(backend, &p.token, false);
	case TSR_IOC_DOORBELL:
		return tsr_backend_bind(backend, &p.doorbell);
	case TSR_IOC_RAISE:
		return tsr_guest_raise(backend->guest, p.event, false);
	}
	return -ENOTTY;
}

/* Completes at once; -EAGAIN on a first, non-blocking try lets io_uring repeat it from a worker. */
static int backend_uring_cmd(struct io_uring_cmd *cmd, unsigned int flags)
{
	struct tsr_backend *backend = cmd->file->private_data;
	bool nonblock = flags & IO_URING_F_NONBLOCK;
	union payload p;

	if ((cmd->cmd_op == TSR_CMD_MAP || cmd->cmd_op == TSR_CMD_COPY) && !(flags & IO_URING_F_SQE128))
		return -EINVAL;
	switch (cmd->cmd_op) {
	case TSR_CMD_RAISE:
		memcpy(&p, kernel_uring_payload(cmd), sizeof(p.event));
		return tsr_guest_raise(backend->guest, p.event, nonblock);
	case TSR_CMD_MAP:
		memcpy(&p, kernel_uring_payload(cmd), sizeof(p.map));
		return tsr_backend_map(backend, &p.map, nonblock);
	case TSR_CMD_COPY:
		memcpy(&p, kernel_uring_payload(cmd), sizeof(p.copy));
		return tsr_backend_copy(backend, &p.copy, nonblock);
	case TSR_CMD_UNMAP:
		memcpy(&p, kernel_uring_payload(cmd), sizeof(p.token));
		return tsr_backend_unmap(backend, &p.token, nonblock);
	}
	return -EOPNOTSUPP;
}

static int backend_mmap(struct file *file, struct vm_area_struct *vma)
{
	return tsr_backend_mmap(file->private_data, vma);
}

static int backend_release(struct inode *inode, struct file *file)
{
	tsr_backend_release(file->private_data);
	return 0;
}

const struct file_operations tsr_backend_fops = {
	.owner = THIS_MODULE,
	.read = backend_read,
	.poll = backend_poll,
	.unlocked_ioctl = backend_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = backend_uring_cmd,
	.mmap = backend_mmap,
	.release = backend_release,
};
