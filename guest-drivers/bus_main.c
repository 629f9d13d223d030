// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* The bus: one Linux device for each device of the guest's measured configuration. */
#define pr_fmt(fmt) "tessera: " fmt

#include <linux/slab.h>
#include <linux/sysfs.h>
#include "bus.h"
#include "kernel.h"

static struct tsr_device *devices[TSR_MAX_DEVICES];

#define to_tsr_driver(drv) container_of(drv, struct tsr_driver, driver)

static bool label_is(const struct tsr_device *tdev, const char *label)
{
	size_t len = strlen(label);
	size_t i;

	if (len > TSR_LABEL_SIZE || memcmp(tdev->desc.label, label, len))
		return false;
	for (i = len; i < TSR_LABEL_SIZE; i++)
		if (tdev->desc.label[i])
			return false;
	return true;
}

static int bus_match(struct device *dev, match_driver *drv)
{
	struct tsr_device *tdev = to_tsr_device(dev);
	const struct tsr_driver *tdrv = to_tsr_driver(drv);

	return tdev->desc.type == tdrv->type && (!tdrv->label || label_is(tdev, tdrv->label));
}

static int bus_uevent(uevent_device *dev, struct kobj_uevent_env *env)
{
	return add_uevent_var(env, "MODALIAS=tessera:t%02x", to_tsr_device(dev)->desc.type);
}

static int bus_probe(struct device *dev)
{
	return to_tsr_driver(dev->driver)->probe(to_tsr_device(dev));
}

static void bus_remove(struct device *dev)
{
	to_tsr_driver(dev->driver)->remove(to_tsr_device(dev));
}

static ssize_t type_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_tsr_device(dev)->desc.type);
}
static DEVICE_ATTR_RO(type);

static ssize_t label_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%.*s\n", (int)TSR_LABEL_SIZE, to_tsr_device(dev)->desc.label);
}
static DEVICE_ATTR_RO(label);

static ssize_t modalias_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "tessera:t%02x\n", to_tsr_device(dev)->desc.type);
}
static DEVICE_ATTR_RO(modalias);

/* Present or away, as the hypervisor tells it now. */
static ssize_t backend_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct tsr_device_info info;
	int err = tsr_device_info(to_tsr_device(dev), &info);

	return err ? err : sysfs_emit(buf, "%s\n", info.backend ? "present" : "away");
}
static DEVICE_ATTR_RO(backend);

static struct attribute *bus_dev_attrs[] = {
	&dev_attr_type.attr,
	&dev_attr_label.attr,
	&dev_attr_modalias.attr,
	&dev_attr_backend.attr,
	NULL,
};
ATTRIBUTE_GROUPS(bus_dev);

static struct bus_type tessera_bus = {
	.name = "tessera",
	.dev_groups = bus_dev_groups,
	.match = bus_match,
	.uevent = bus_uevent,
	.probe = bus_probe,
	.remove = bus_remove,
};

int __tsr_driver_register(struct tsr_driver *drv, struct module *owner)
{
	drv->driver.bus = &tessera_bus;
	drv->driver.owner = owner;
	return driver_register(&drv->driver);
}
EXPORT_SYMBOL_GPL(__tsr_driver_register);

void tsr_driver_unregister(struct tsr_driver *drv)
{
	driver_unregister(&drv->driver);
}
EXPORT_SYMBOL_GPL(tsr_driver_unregister);

u32 tsr_device_next_session(struct tsr_device *tdev)
{
	if (++tdev->session == 0)
		tdev->session = 1;
	return tdev->session;
}
EXPORT_SYMBOL_GPL(tsr_device_next_session);

static void device_release(struct device *dev)
{
	struct tsr_device *tdev = to_tsr_device(dev);

	kfree(tdev->issue);
	kfree(tdev);
}

static int add_device(u32 index)
{
	struct tsr_device *tdev = kzalloc(sizeof(*tdev), GFP_KERNEL);
	struct tsr_device_info info;
	int err;

	if (!tdev)
		return -ENOMEM;
	tdev->index = index;
	mutex_init(&tdev->issue_lock);
	tdev->issue = kcalloc(TSR_MAX_BATCH, sizeof(*tdev->issue), GFP_KERNEL);
	err = tdev->issue ? tsr_device_info(tdev, &info) : -ENOMEM;
	if (err || info.desc.type == TSR_DEVICE_NONE) {
		kfree(tdev->issue);
		kfree(tdev);
		return err == -ENODEV ? 0 : err;
	}
	tdev->desc = info.desc;
	tdev->dev.bus = &tessera_bus;
	tdev->dev.release = device_release;
	device_initialize(&tdev->dev);
	err = dev_set_name(&tdev->dev, "tessera%u", index);
	if (!err)
		err = device_add(&tdev->dev);
	if (err) {
		put_device(&tdev->dev);
		return err;
	}
	devices[index] = tdev;
	return 0;
}

static void remove_devices(void)
{
	u32 i;

	for (i = 0; i < TSR_MAX_DEVICES; i++)
		if (devices[i])
			device_unregister(&devices[i]->dev);
}

static int __init bus_init(void)
{
	u32 i;
	int err;

	err = bus_call_init();
	if (err)
		return err;
	err = bus_event_init();
	if (err)
		goto no_events;
	err = bus_misc_init();
	if (err)
		goto no_misc;
	err = bus_register(&tessera_bus);
	if (err)
		goto no_bus;
	for (i = 0; i < TSR_MAX_DEVICES; i++) {
		err = add_device(i);
		if (err) {
			pr_err("device %u of this guest cannot be set up (%d)\n", i, err);
			goto no_devices;
		}
	}
	return 0;

no_devices:
	remove_devices();
	bus_unregister(&tessera_bus);
no_bus:
	bus_misc_exit();
no_misc:
	bus_event_exit();
no_events:
	bus_call_exit();
	return err;
}

static void __exit bus_exit(void)
{
	remove_devices();
	bus_unregister(&tessera_bus);
	bus_misc_exit();
	bus_event_exit();
	bus_call_exit();
}

module_init(bus_init);
module_exit(bus_exit);
MODULE_DESCRIPTION("Bus of the Tessera hypervisor's devices in a guest");
MODULE_LICENSE("Dual BSD/GPL");
