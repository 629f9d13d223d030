# SPDX-License-Identifier: BSD-2-Clause-Patent
# The parts: hypervisor, Linux modules, the host's programs, tiny test guests. A part that is not there is left out; one
# that is there must build.

.PHONY: all hv modules drivers host guests tools
all: hv modules host guests images

# --- the hypervisor
ifneq ($(wildcard hv/Makefile),)
HV := $(B)/hv/tessera.elf32
endif
hv: $(HV)
$(B)/hv/tessera.elf32: FORCE | $(DEPS)/.done
	@$(MAKE) -f hv/Makefile O=$(B)/hv SODIUM=$(DEPS)/libsodium TSR_DEFS='$(TSR_DEFS)' VARIANT=$(VARIANT)

# --- tiny test guests, and what else tests/guests builds
ifneq ($(wildcard tests/guests/Makefile),)
GUESTS := $(B)/guests/.built
endif
guests: $(GUESTS)
$(B)/guests/.built: FORCE | $(DEPS)/.done
	@$(MAKE) -f tests/guests/Makefile O=$(B)/guests TSR_DEFS='$(TSR_DEFS)' VARIANT=$(VARIANT)
	@find $(B)/guests -name '*.bin' -o -name '*.elf' | sort | xargs cat /dev/null | cksum >$@.new; $(call replace-if-changed,$@.new,$@)

# --- Linux modules
# kbuild leaves its objects beside the sources, so the sources are staged as links under build/.
MODULES_guest := $(wildcard guest-drivers/Kbuild)
MODULES_host  := $(wildcard host-backend/module/Kbuild)
MODULES_test  := $(wildcard tests/system/modules/Kbuild)
MODULE_KINDS  := $(foreach k,guest host test,$(if $(MODULES_$(k)),$(k)))
MODULES := $(MODULE_KINDS:%=$(B)/modules/%/.built)

# -Wextra less what the kernel's own headers do not stand.
KCFLAGS := -Wextra -Werror -Wmissing-prototypes -Wshadow -Wvla \
	-Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Wno-type-limits

# No type information: it takes pahole and a vmlinux.
KBUILD = TSR_ROOT=$(CURDIR) TSR_DEFS='$(TSR_DEFS)' KCFLAGS='$(KCFLAGS)' CONFIG_DEBUG_INFO_BTF_MODULES=

modules: $(MODULES)
drivers: $(filter %/guest/.built,$(MODULES))

$(B)/modules/%/.built: FORCE | $(DEPS)/.done
	@scripts/stage-module.sh $(dir $(MODULES_$*)) $(@D)
	@$(MAKE) -s -C $(DEPS)/kernel-headers M=$(CURDIR)/$(@D) $(KBUILD) modules \
		>$(@D)/build.log 2>&1 || { cat $(@D)/build.log; exit 1; }
	@cat $(@D)/*.ko | cksum >$@.new; $(call replace-if-changed,$@.new,$@)

# The same against the headers of the next Debian's kernel, where this release offers them.
.PHONY: modules-next
modules-next: $(DEPS)/.done
	@[ ! -e $(DEPS)/next-headers ] || for k in $(MODULE_KINDS); do \
		case $$k in guest) dir=$(dir $(MODULES_guest)) ;; host) dir=$(dir $(MODULES_host)) ;; *) dir=$(dir $(MODULES_test)) ;; esac; \
		out=$(B)/modules-next/$$k; \
		scripts/stage-module.sh $$dir $$out; \
		$(MAKE) -s -C $(DEPS)/next-headers M=$(CURDIR)/$$out $(KBUILD) modules >$$out/build.log 2>&1 || { cat $$out/build.log; exit 1; }; \
		echo "  BUILD   $$k modules for $$(basename $$(readlink $(DEPS)/next-headers))"; \
	done

# --- the host's programs: static, so that they run in an initramfs as they are
# Optimized as a whole: what is small and done for each request has files of its own. Accesses to shared memory have barriers (daemon/shared.c).
HOST_CFLAGS := $(USER_CFLAGS) -O2 -flto=auto $(TSR_DEFS)
PROTO_SRCS  := $(wildcard proto/*.c)
IMAGE_SRCS  := $(wildcard host-backend/image/*.c host-backend/common/*.c)
DAEMON_SRCS := $(wildcard host-backend/daemon/*.c)
CLI_SRCS    := $(wildcard host-backend/cli/*.c)
HOST := $(if $(DAEMON_SRCS),$(B)/host/tesserad) $(if $(CLI_SRCS),$(B)/host/tessera)

host: $(HOST)
host-objs = $(patsubst %.c,$(B)/host/%.o,$(1) $(IMAGE_SRCS) $(PROTO_SRCS))
$(B)/host/%.o: %.c | $(DEPS)/.done
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@gcc $(HOST_CFLAGS) -MMD -MP -c -o $@ $<
# ENGINES: sources of further storage engines (host-backend/daemon/engine.h), such as host-backend/examples/memory.c.
ENGINES ?=
$(B)/host/.engines: FORCE
	@mkdir -p $(@D)
	@echo '$(ENGINES)' >$@.new; $(call replace-if-changed,$@.new,$@)
$(B)/host/tesserad: $(call host-objs,$(DAEMON_SRCS) $(ENGINES)) $(B)/host/.engines
	@echo '  LD      $@'
	@gcc $(HOST_CFLAGS) -static -o $@ $(filter %.o,$^) -luring -lsodium -lpthread
$(B)/host/tessera: $(call host-objs,$(CLI_SRCS))
	@echo '  LD      $@'
	@gcc $(HOST_CFLAGS) -static -o $@ $^ -ljansson -lsodium -lpthread
-include $(patsubst %.o,%.d,$(call host-objs,$(DAEMON_SRCS) $(CLI_SRCS)))

# --- what a person reads and types: manual pages from the programs' own help, completion, units for systemd
.PHONY: man install
man: $(B)/man/.done
$(B)/man/.done: scripts/manpages.py host-backend/initrd/tessera-initrd $(HOST)
	@scripts/manpages.py $(B)/host $(@D)
	@touch $@

# The host's programs and their texts; not the modules, which belong to one kernel.
PREFIX ?= /usr
install: host man
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)/etc/tessera \
		$(DESTDIR)$(PREFIX)/share/tessera/initrd $(DESTDIR)/var/lib/tessera
	install $(HOST) host-backend/initrd/tessera-initrd $(DESTDIR)$(PREFIX)/bin
	install scripts/mkinitramfs.py $(DESTDIR)$(PREFIX)/share/tessera
	install host-backend/initrd/root/init $(DESTDIR)$(PREFIX)/share/tessera/initrd
	install -m 644 $(B)/man/tessera.1 $(B)/man/tessera-initrd.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(B)/man/tesserad.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 host-backend/shell/tessera.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tessera
	ln -sf tessera $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tesserad
	install -m 644 host-backend/systemd/*.service $(DESTDIR)$(PREFIX)/lib/systemd/system

# --- small programs that the system tests run, each of one file: host_* inside the host, guest_* inside guests
TOOLS := $(patsubst tests/system/tools/%.c,$(B)/tools/%,$(wildcard tests/system/tools/*.c))
TOOLS_host  := $(filter $(B)/tools/host_%,$(TOOLS))
TOOLS_guest := $(filter $(B)/tools/guest_%,$(TOOLS))
tools: $(TOOLS)
$(B)/tools/host_damage: $(call host-objs,)
$(B)/tools/%: tests/system/tools/%.c | $(DEPS)/.done
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@gcc $(HOST_CFLAGS) -MMD -MP -MF $@.d -static -o $@ $< $(filter %.o,$^) -lsodium -lpthread
-include $(TOOLS:=.d)
