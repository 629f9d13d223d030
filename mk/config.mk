# SPDX-License-Identifier: BSD-2-Clause-Patent
# Variants, directories, compiler flags, and what `make deps` provides.

VARIANT ?= default
VARIANTS := default release noprotect noack noiotlb noseal badleaf noleave noend unsealed unchecked
B := build/$(VARIANT)
DEPS := build/deps

# What each variant defines. The negative controls each take one protection away, so that a test that looks for its absence
# is seen to be able to fail; none of them is a switch in a shipped build.
TSR_DEFS_default   := -DTSR_ORACLE=1
TSR_DEFS_release   :=
TSR_DEFS_noprotect := -DTSR_ORACLE=1 -DTSR_TEST_NO_PROTECT
TSR_DEFS_noack     := -DTSR_ORACLE=1 -DTSR_TEST_NO_ACK
TSR_DEFS_noiotlb   := -DTSR_ORACLE=1 -DTSR_TEST_NO_IOTLB
TSR_DEFS_noseal    := -DTSR_ORACLE=1 -DTSR_TEST_NO_SEAL
TSR_DEFS_badleaf   := -DTSR_ORACLE=1 -DTSR_TEST_BAD_LEAF
TSR_DEFS_noleave   := -DTSR_ORACLE=1 -DTSR_TEST_NO_LEAVE
TSR_DEFS_noend     := -DTSR_ORACLE=1 -DTSR_TEST_NO_END
# The guest's driver only, whose checks are left out one at a time: guest-drivers/blk.h.
TSR_DEFS_unchecked := -DTSR_TEST_DRIVER_CONTROLS
# Not a control of a test but a row of the bench's table: what sealing itself costs.
TSR_DEFS_unsealed  := -DTSR_TEST_NO_SEAL
TSR_DEFS := $(TSR_DEFS_$(VARIANT))

ifeq ($(filter $(VARIANT),$(VARIANTS)),)
$(error VARIANT=$(VARIANT) is not known; it is one of: $(VARIANTS))
endif

WARN := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla
INCLUDES := -I include -I .
USER_CFLAGS := -std=gnu11 -D_GNU_SOURCE -g $(WARN) $(INCLUDES)

.PHONY: FORCE deps clean distclean
FORCE:

# Also remade by itself when the list of packages or the recipe changes.
$(DEPS)/.done: scripts/deps.sh mk/packages.txt
	@scripts/deps.sh
	@touch $@

deps: $(DEPS)/.done
	@scripts/deps.sh

clean:
	rm -rf $(addprefix build/,$(VARIANTS)) build/logs

distclean:
	rm -rf build

# $(call replace-if-changed,new,old): keep the old file's time when nothing changed, so that nothing is remade after it.
replace-if-changed = if cmp -s $(1) $(2); then rm -f $(1); else mv $(1) $(2); fi
