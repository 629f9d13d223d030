# SPDX-License-Identifier: BSD-2-Clause-Patent
# A kernel that notices what a stock one does not: uses after free, leaks, locks in two orders, sleeping where it must not; and that can be told which
# allocation is to fail. Made once, in some ten minutes, and kept; only segments of the long form use it (tests/torture/sanitised.py).

DEBUG := $(DEPS)/debug
DEBUG_TOOLS := $(CURDIR)/$(DEBUG)/tools
# Of packages that are unpacked, not installed. The configuration's tools are looked for there first.
DEBUG_ENV = PATH=$(DEBUG_TOOLS)/usr/bin:$$PATH LD_LIBRARY_PATH=$(DEBUG_TOOLS)/lib/x86_64-linux-gnu:$(DEBUG_TOOLS)/usr/lib/x86_64-linux-gnu \
	M4=$(DEBUG_TOOLS)/usr/bin/m4 BISON_PKGDATADIR=$(DEBUG_TOOLS)/usr/share/bison
# Not with this build's own flags.
DEBUG_MAKE = env -u MAKEFLAGS -u MAKELEVEL $(DEBUG_ENV) nice -n 5 make -s -C $(DEBUG)/source O=$(CURDIR)/$(DEBUG)/build -j2 \
	HOSTCFLAGS=-I$(DEBUG_TOOLS)/usr/include HOSTLDFLAGS=-L$(DEBUG_TOOLS)/usr/lib/x86_64-linux-gnu

.PHONY: debug-kernel debug-modules debug-images
$(DEBUG)/.fetched: | $(DEPS)/.done
	@scripts/deps.sh debug
# Modules are found where modprobe looks for them: lib/modules/VERSION in root.
$(DEBUG)/.done: mk/debug.config $(DEBUG)/.fetched
	@echo '  BUILD   $(DEBUG)/vmlinuz (see $(DEBUG)/build.log)'
	@{ $(DEBUG_MAKE) KCONFIG_ALLCONFIG=$(CURDIR)/mk/debug.config allnoconfig && $(DEBUG_MAKE) bzImage modules && \
		rm -rf $(DEBUG)/root $(DEBUG)/modules && $(DEBUG_MAKE) INSTALL_MOD_PATH=$(CURDIR)/$(DEBUG)/root modules_install; } \
		>$(DEBUG)/build.log 2>&1 || { tail -n 20 $(DEBUG)/build.log; exit 1; }
	@grep '^CONFIG_' $< | grep -vxFf $(DEBUG)/build/.config || exit 0; echo 'the configuration lacks what is above'; exit 1
	@cp $(DEBUG)/build/arch/x86/boot/bzImage $(DEBUG)/vmlinuz
	@ln -sfn root/lib/modules/$$(ls $(DEBUG)/root/lib/modules) $(DEBUG)/modules
	@touch $@
debug-kernel: $(DEBUG)/.done

# Our modules against it. Their names are those of the others, so they have a place of their own.
$(B)/debug/%/.built: FORCE $(DEBUG)/.done
	@scripts/stage-module.sh $(dir $(MODULES_$*)) $(@D)
	@env -u MAKEFLAGS make -s -C $(DEBUG)/build M=$(CURDIR)/$(@D) $(KBUILD) modules >$(@D)/build.log 2>&1 || { cat $(@D)/build.log; exit 1; }
	@cat $(@D)/*.ko | cksum >$@.new; $(call replace-if-changed,$@.new,$@)
DEBUG_MODULES := $(MODULE_KINDS:%=$(B)/debug/%/.built)
debug-modules: $(DEBUG_MODULES)

# One image for the machine: the usual host's, with what this kernel needs beside it. Kernel and initrd of guests are /debug/vmlinuz and /debug/initrd.img.
DEBUG_IMAGE = scripts/mkinitramfs.py --kernel $(DEBUG)/modules
DEBUG_FILES := $(shell find $(ROOTFS)/debug -type f) mk/debug.mk
$(B)/debug/guest.img: $(B)/guest.img $(filter-out %/host/.built,$(DEBUG_MODULES)) $(DEBUG_FILES) $(B)/tools/host_nth
	@echo '  IMAGE   $@'
	@$(DEBUG_IMAGE) --out $@ $(call ko-args,$(B)/debug/guest/*.ko $(B)/debug/test/guest_*.ko $(B)/debug/test/faulty.ko) --tree $(ROOTFS)/guest --tree $(ROOTFS)/debug \
		$(foreach f,$(TOOLS_guest) $(B)/tools/host_nth,--file $(f):bin/$(notdir $(f))) --elf /sbin/mkfs.ext4:bin/mkfs.ext4 --elf /sbin/e2fsck:bin/e2fsck
$(B)/debug/host.img: $(B)/host.img $(B)/debug/guest.img $(filter-out %/guest/.built,$(DEBUG_MODULES)) $(DEBUG_FILES)
	@echo '  IMAGE   $@'
	@$(DEBUG_IMAGE) --out $@.part --module brd --tree $(ROOTFS)/debug $(call ko-args,$(B)/debug/host/*.ko $(B)/debug/test/host_*.ko $(B)/debug/test/faulty.ko) \
		--file $(DEBUG)/vmlinuz:debug/vmlinuz --file $(B)/debug/guest.img:debug/initrd.img
	@cat $(B)/host.img $@.part >$@.new && rm $@.part && mv $@.new $@
debug-images: images $(B)/debug/host.img
