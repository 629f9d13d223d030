# SPDX-License-Identifier: BSD-2-Clause-Patent
# What a sealed I/O costs, counted beside what a user would pick instead: tests/bench/README.md.

BENCH := build/bench
BENCH_FILES := $(shell find tests/bench/rootfs -type f) tests/bench/load.c tests/bench/mark.h mk/bench.mk
# Of Tessera's own builds: the one to ship, and one whose driver leaves data unsealed.
BENCH_VARIANTS := release unsealed
BENCH_MODULES := brd crc32c_generic crc32c_intel aesni_intel ctr gcm ghash_generic ghash_clmulni_intel virtio_pci virtio_blk aegis128 aegis128_aesni \
	dm_mod dm_crypt dm_integrity xts xen_blkfront

.PHONY: bench bench-images bench-tools bench-profile bench-scaling bench-publish
bench-tools: $(BENCH)/count.so $(BENCH)/load
$(BENCH)/count.so: tests/bench/plugin.sh tests/bench/count.c tests/bench/decode.c tests/bench/decode.h
	@mkdir -p $(@D)
	@$< $@
$(BENCH)/load: tests/bench/load.c tests/bench/mark.h
	@mkdir -p $(@D)
	@gcc $(USER_CFLAGS) -O2 -static -o $@ $<

$(BENCH)/tokens: tests/bench/tokens.c tests/bench/tokens.h tests/bench/mark.h
	@mkdir -p $(@D)
	@gcc $(USER_CFLAGS) -O2 -static -o $@ $<
MODULES_bench := tests/bench/modules/Kbuild

BENCH_IMAGE = $(MKINITRAMFS) --tree tests/bench/rootfs --file $(BENCH)/load:bin/load --elf /sbin/dmsetup:bin/dmsetup $(BENCH_MODULES:%=--module %)

# The machine without a hypervisor.
$(BENCH)/none.img: $(BENCH_FILES) $(IMAGE_INPUTS) $(BENCH)/load
	@echo '  IMAGE   $@'
	@$(BENCH_IMAGE) --out $@

# Tessera, one image for each of its builds: guest and host.
define bench-tessera
.PHONY: bench-$(1)
bench-$(1): $$(BENCH)/load $$(BENCH)/tokens
	@$$(MAKE) VARIANT=$(1) hv modules host build/$(1)/modules/bench/.built
	@echo '  IMAGE   $$(BENCH)/tessera-$(1).img'
	@mkdir -p $$(BENCH)/$(1)
	@$$(BENCH_IMAGE) --out $$(BENCH)/$(1)/guest.img $$(call ko-args,build/$(1)/modules/guest/*.ko build/$(1)/modules/bench/*.ko)
	@$$(BENCH_IMAGE) --out $$(BENCH)/tessera-$(1).img $$(call ko-args,build/$(1)/modules/host/*.ko) --file build/$(1)/host/tessera:bin/tessera --file $$(BENCH)/tokens:bin/tokens \
		--file build/$(1)/host/tesserad:bin/tesserad --file $$(DEPS)/vmlinuz:guest/vmlinuz --file $$(BENCH)/$(1)/guest.img:guest/guest.img
endef
$(foreach v,$(BENCH_VARIANTS),$(eval $(call bench-tessera,$(v))))

# Xen: its first domain, with the image above for the guest.
PEERS := $(DEPS)/peers
$(PEERS)/.done: scripts/deps.sh
	@scripts/deps.sh peers
XEN_TOOLS := xl xenstored xenconsoled xen-init-dom0
$(BENCH)/xen.img: $(BENCH)/none.img $(PEERS)/.done
	@echo '  IMAGE   $@'
	@LD_LIBRARY_PATH=$(CURDIR)/$(PEERS)/usr/lib/x86_64-linux-gnu $(BENCH_IMAGE) --out $@ --module xen_blkback --module xen_privcmd --module xen_evtchn \
		--module xen_gntdev --module xen_gntalloc --module xenfs --file $(DEPS)/vmlinuz:guest/vmlinuz --file $(BENCH)/none.img:none.img \
		$(foreach t,$(XEN_TOOLS),--elf $(PEERS)/xen-tools/$(t):bin/$(t)) --elf $(PEERS)/usr/bin/xenstore:bin/xenstore-read \
		--elf $(PEERS)/usr/bin/xenstore:bin/xenstore-write --file /lib/x86_64-linux-gnu/libgcc_s.so.1:lib/libgcc_s.so.1

# KVM, with this machine's QEMU and what that loads.
QEMU_DATA := /usr/share/seabios/bios-256k.bin /usr/share/qemu/linuxboot_dma.bin /usr/share/qemu/kvmvapic.bin
$(BENCH)/kvm.img: $(BENCH)/none.img
	@echo '  IMAGE   $@'
	@$(BENCH_IMAGE) --out $@ --module kvm_amd --elf $$(command -v qemu-system-x86_64):bin/qemu-system-x86_64 \
		$(foreach f,$(QEMU_DATA),--file $(f):share/$(notdir $(f))) --file $(DEPS)/vmlinuz:guest/vmlinuz --file $(BENCH)/none.img:none.img

bench-images: deps bench-tools $(BENCH)/none.img $(BENCH)/xen.img $(BENCH)/kvm.img $(BENCH_VARIANTS:%=bench-%)

# T="NAME..." for some contenders, SEEDS=3 for medians.
bench: bench-images
	@tests/bench/run.py $(if $(SEEDS),--seeds $(SEEDS)) $(if $(LOADS),--loads '$(LOADS)') $(T)

# Of one load, by symbol: make bench-profile T=tessera-pooled L=rr4k:32
bench-profile: bench-images
	@tests/bench/profile.py $(T) $(L)

# Cost against guests, memory, live tokens, queue depth and size; token operations, boots, forks.
bench-scaling: bench-images
	@tests/bench/scaling.py $(T)

# What build/bench has becomes what docs/bench shows.
bench-publish:
	@cp $(BENCH)/results.json $(BENCH)/results.html docs/bench/
