# SPDX-License-Identifier: BSD-2-Clause-Patent
# The images that the emulated machine boots: an initramfs for the host, which carries the guest's kernel and initramfs.

ROOTFS := tests/system/rootfs
# Stock modules of host and guest; scripts/mkinitramfs.py adds what they depend on.
HOST_MODULES  := virtio_pci virtio_blk virtio_console virtio_net nvme nvme_tcp nvmet_tcp nbd rbd ahci sd_mod ext4 loop brd dm_mod dm_flakey dm_delay crc32c_generic crc32c_intel msr cpuid
GUEST_MODULES := ext4 crc32c_generic crc32c_intel gcm ctr ghash_generic ghash_clmulni_intel aesni_intel

# Looked up when the recipe runs: make's own wildcard may remember a directory from before it was filled.
ko-args  = $$(for f in $(1); do [ ! -e $$f ] || printf -- '--extra-module %s ' $$f; done)
dir-args = $$(for f in $(1); do [ ! -e $$f ] || printf -- '--file %s:$(2)/%s ' $$f $$(basename $$f); done)
MKINITRAMFS := scripts/mkinitramfs.py --kernel $(DEPS)/modules
IMAGE_INPUTS = scripts/mkinitramfs.py mk/images.mk $(DEPS)/.done

.PHONY: images boot bare bare-host
images: $(B)/host.img $(B)/guest.img $(B)/media.ext4 $(B)/grub.disk
# No more than it takes to start a machine.
boot: $(HV) $(B)/host.img

# A guest's initramfs: $(call guest-image,file,further arguments).
guest-image = $(MKINITRAMFS) --out $(1) $(GUEST_MODULES:%=--module %) $(call ko-args,$(B)/modules/guest/*.ko $(B)/modules/test/guest_*.ko) \
	--tree $(ROOTFS)/guest $(foreach f,$(TOOLS_guest),--file $(f):bin/$(notdir $(f))) \
	--elf /sbin/mkfs.ext4:bin/mkfs.ext4 --elf /sbin/e2fsck:bin/e2fsck $(2)
# With file systems that few tests need, and what makes and checks them.
FILE_SYSTEMS := --module xfs --module btrfs $(foreach f,/sbin/mkfs.xfs /sbin/xfs_repair /sbin/mkfs.btrfs /bin/btrfs,--elf $(f):bin/$(notdir $(f)))

$(B)/guest.img: $(IMAGE_INPUTS) $(shell find $(ROOTFS)/guest -type f) $(filter-out %/host/.built,$(MODULES)) $(TOOLS_guest)
	@mkdir -p $(@D)
	@echo '  IMAGE   $@'
	@$(call guest-image,$@)

$(B)/host.img: $(IMAGE_INPUTS) $(shell find $(ROOTFS)/host -type f) $(filter-out %/guest/.built,$(MODULES)) $(HOST) $(GUESTS) $(TOOLS_host) \
		$(B)/guest.img
	@mkdir -p $(@D)
	@echo '  IMAGE   $@'
	@$(MKINITRAMFS) --out $@ $(HOST_MODULES:%=--module %) $(call ko-args,$(B)/modules/host/*.ko $(B)/modules/test/host_*.ko) \
		--tree $(ROOTFS)/host $(foreach f,$(HOST) $(TOOLS_host),--file $(f):bin/$(notdir $(f))) \
		$(call dir-args,$(B)/guests/*.bin $(B)/guests/*.elf,guests) \
		--elf /sbin/mkfs.ext4:bin/mkfs.ext4 --elf /sbin/e2fsck:bin/e2fsck --elf /usr/bin/chrt:bin/chrt \
		--file $(DEPS)/vmlinuz:guest/vmlinuz --file $(B)/guest.img:guest/initrd.img

# What is too large for every boot lies on a disk of its own, which the host mounts on /media: guests' images with real input
# (Debian's kernel headers, and file system modules), with fio, and with more file systems, and tools of the host's that few tests need. Parts of an initramfs may be joined end to end.
PAYLOAD := build/payload
$(PAYLOAD)/tree.tar.gz: scripts/payload.py mk/images.mk $(DEPS)/.done
	@echo '  PACK    $@'
	@scripts/payload.py --out $(PAYLOAD) $(DEPS)/root/usr/src=headers $(DEPS)/modules/kernel/fs=modules

$(B)/media.ext4: $(B)/guest.img $(PAYLOAD)/tree.tar.gz $(ROOTFS)/host/agent.sh
	@echo '  IMAGE   $@'
	@dir=$$(mktemp -d $(B)/media.XXXXXX) && \
	scripts/mkinitramfs.py --bare --out $$dir/payload.cpio $(foreach f,tree.tar.gz tree.sha256 tree.facts,\
		--file $(PAYLOAD)/$(f):payload/$(f)) && \
	cat $(B)/guest.img $$dir/payload.cpio >$$dir/guest-files.img && \
	scripts/mkinitramfs.py --bare --out $$dir/fio.cpio --elf /usr/bin/fio:bin/fio && \
	cat $(B)/guest.img $$dir/fio.cpio >$$dir/guest-fio.img && \
	$(call guest-image,$$dir/guest-fs.img,$(FILE_SYSTEMS)) && \
	scripts/mkinitramfs.py --bare --out $$dir/tools.cpio --elf /sbin/dmsetup:bin/dmsetup --elf /sbin/nbd-client:bin/nbd-client && \
	cp $(ROOTFS)/host/agent.sh $(DEPS)/vmlinuz $$dir && rm -f $$dir/payload.cpio $$dir/fio.cpio $@ && chmod 755 $$dir && \
	mke2fs -q -t ext4 -O ^has_journal -m 0 -d $$dir $@ 256M; \
	status=$$?; rm -rf $$dir; exit $$status

# The same host on a disk that a machine starts from by GRUB, from BIOS or from UEFI.
$(B)/grub.disk: scripts/mkdisk.py tests/system/grub.cfg $(HV) $(B)/host.img
	@echo '  IMAGE   $@'
	@scripts/mkdisk.py --out $@ --config tests/system/grub.cfg --file $(HV):tessera --file $(DEPS)/vmlinuz:vmlinuz \
		--file $(B)/host.img:host.img

# What a Debian machine installs, and a disk with a whole Debian on which it was (root rights).
DEB = $(B)/tessera_$(shell sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)_amd64.deb
# SUITE=trixie makes image and test with that release instead of this machine's.
SUITE ?=
DISK = $(B)/debian$(SUITE:%=-%).disk
.PHONY: deb image test-image test-readme
deb: hv host man
	@scripts/mkdeb.sh $(VARIANT) '$(TSR_DEFS)'
image: deb
	@scripts/mkimage.sh $(DEB) $(DISK) $(SUITE)
# The main job on a disk made now, from BIOS and from UEFI: about 15 minutes, so not part of `make test`. Guest and host are to be of one build.
test-image: images image
	@tests/system/image.py --variant $(VARIANT) --disk $(DISK)
# README.md to the letter, in a new Debian and on the emulated machine: half an hour, root rights.
test-readme: images
	@tests/system/readme.py --variant $(VARIANT) $(SUITE:%=--suite %) build/readme$(SUITE:%=-%)

# The stock host kernel on the emulated machine, without the hypervisor.
bare bare-host: $(B)/host.img
	@tests/system/bare.py --variant $(VARIANT)

# The narrated main job, and an interactive machine.
.PHONY: run shell
run: deps $(HV) images
	@tests/system/run.py --variant $(VARIANT)
shell: deps $(HV) images
	@tests/system/shell.py --variant $(VARIANT)
