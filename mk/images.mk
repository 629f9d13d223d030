# SPDX-License-Identifier: BSD-2-Clause-Patent
# The images that the emulated machine boots: an initramfs for the host, which carries the guest's kernel and initramfs.

ROOTFS := tests/system/rootfs
# Stock modules of host and guest; scripts/mkinitramfs.py adds what they depend on.
HOST_MODULES  := virtio_pci virtio_blk nvme ahci sd_mod ext4 loop brd dm_mod dm_flakey crc32c_generic crc32c_intel msr cpuid
GUEST_MODULES := ext4 crc32c_generic crc32c_intel gcm ctr ghash_generic ghash_clmulni_intel aesni_intel

# Looked up when the recipe runs: make's own wildcard may remember a directory from before it was filled.
ko-args  = $$(for f in $(1); do [ ! -e $$f ] || printf -- '--extra-module %s ' $$f; done)
dir-args = $$(for f in $(1); do [ ! -e $$f ] || printf -- '--file %s:$(2)/%s ' $$f $$(basename $$f); done)
MKINITRAMFS := scripts/mkinitramfs.py --kernel $(DEPS)/modules
IMAGE_INPUTS = scripts/mkinitramfs.py mk/images.mk $(DEPS)/.done

.PHONY: images bare bare-host
images: $(B)/host.img $(B)/guest.img

$(B)/guest.img: $(IMAGE_INPUTS) $(shell find $(ROOTFS)/guest -type f) $(filter %/guest/.built,$(MODULES))
	@mkdir -p $(@D)
	@echo '  IMAGE   $@'
	@$(MKINITRAMFS) --out $@ $(GUEST_MODULES:%=--module %) $(call ko-args,$(B)/modules/guest/*.ko) \
		--tree $(ROOTFS)/guest --elf /sbin/mkfs.ext4:bin/mkfs.ext4 --elf /sbin/e2fsck:bin/e2fsck

$(B)/host.img: $(IMAGE_INPUTS) $(shell find $(ROOTFS)/host -type f) $(filter-out %/guest/.built,$(MODULES)) $(HOST) $(GUESTS) \
		$(B)/guest.img
	@mkdir -p $(@D)
	@echo '  IMAGE   $@'
	@$(MKINITRAMFS) --out $@ $(HOST_MODULES:%=--module %) $(call ko-args,$(B)/modules/host/*.ko $(B)/modules/test/*.ko) \
		--tree $(ROOTFS)/host $(foreach f,$(HOST),--file $(f):bin/$(notdir $(f))) \
		$(call dir-args,$(B)/guests/*.bin $(B)/guests/*.elf,guests) \
		--elf /sbin/mkfs.ext4:bin/mkfs.ext4 --elf /sbin/e2fsck:bin/e2fsck \
		--file $(DEPS)/vmlinuz:guest/vmlinuz --file $(B)/guest.img:guest/initrd.img

# The stock host kernel on the emulated machine, without the hypervisor.
bare bare-host: $(B)/host.img
	@tests/system/bare.py --variant $(VARIANT)
