# SPDX-License-Identifier: BSD-2-Clause-Patent
# Unit tests (cmocka), fuzzers (libFuzzer), and the run of everything. A test names what it is built from in comments:
#	/* sources: hv/core/*.c tests/unit/fake_arch.c */	/* libs: -lsodium */	/* flags: -DX=1 */

.PHONY: unit unit-build coverage model mutants fuzz fuzz-build test system images-test torture
comment = $(shell sed -n 's|^/\* $(2): \(.*\) \*/$$|\1|p' $(1))
tests-in = $(patsubst tests/$(1)/%.c,%,$(shell grep -ls '^/\* sources: ' tests/$(1)/*.c))
# The sources a test names, without the word "none" and without repeats.
sources-of = $(sort $(wildcard $(filter-out none,$(call comment,$(1),sources))))

# $(call program,kind,name,sources,flags,libs): objects are shared among a kind's tests unless one has flags of its own.
define program
$(1)-objs-$(2) := $$(patsubst %.c,$$(B)/$(1)/obj$(if $(4),-$(2))/%.o,$(3))
$$(B)/$(1)/$(2): $$($(1)-objs-$(2))
	@echo '  LD      $$@'
	@$$($(1)_CC) $$($(1)_LDFLAGS) -o $$@ $$^ $(5) $$($(1)_LIBS)
$(if $(4),$$(B)/$(1)/obj-$(2)/%.o: private EXTRA := $(4)
$$(B)/$(1)/obj-$(2)/%.o: %.c | $$(DEPS)/.done
	$$(compile-$(1)))
-include $$($(1)-objs-$(2):.o=.d)
endef

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
TEST_CFLAGS := $(USER_CFLAGS) -O1 -I hv -I tests/unit -DTSR_ORACLE=1 $(SANITIZE)

# --- unit tests
unit_CC := gcc
unit_LDFLAGS := $(SANITIZE) --coverage
unit_LIBS := -lcmocka
# The core's lines are counted, those of a control with a protection left out are not.
define compile-unit
	@mkdir -p $(@D)
	@echo '  CC      $< (sanitized)'
	@gcc $(TEST_CFLAGS) $(or $(EXTRA),$(if $(filter hv/core/%,$<),--coverage)) -MMD -MP -c -o $@ $<
endef
$(B)/unit/obj/%.o: %.c | $(DEPS)/.done
	$(compile-unit)

UNIT_ALL := $(call tests-in,unit)
UNIT := $(if $(T),$(filter $(T),$(UNIT_ALL)),$(UNIT_ALL))
$(foreach t,$(UNIT_ALL),$(eval $(call program,unit,$(t),tests/unit/$(t).c \
	$(call sources-of,tests/unit/$(t).c),$(call comment,tests/unit/$(t).c,flags),$(call comment,tests/unit/$(t).c,libs))))

unit-build: $(UNIT:%=$(B)/unit/%)
unit: unit-build
	@tests/run --variant $(VARIANT) unit $(if $(T),--only '$(T)')

# Lines of hv/core/ that the unit tests run through, file by file; below the limit that tests/coverage.py names is a failure.
coverage: unit-build
	@tests/coverage.py --variant $(VARIANT)

# The life of tokens, by SPIN. LONG=1: also what takes minutes and gigabytes.
model: $(DEPS)/.done
	@tests/run --variant $(VARIANT) model $(if $(LONG),--long) $(if $(T),--only '$(T)')

# Errors made in the core one at a time, which the unit tests have to notice. COUNT=0 makes all there are.
mutants: $(DEPS)/.done
	@tests/mutants.py $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

# --- fuzzers. `make test` begins with the same inputs each time, but for what addresses in memory change; `make fuzz` takes others.
fuzz_CC := clang
fuzz_LDFLAGS := -fsanitize=fuzzer,address,undefined
# New paths are looked for in what is tested, not in what makes its inputs and judges it.
define compile-fuzz
	@mkdir -p $(@D)
	@echo '  CC      $< (fuzzed)'
	@clang $(TEST_CFLAGS) $(if $(filter tests/unit/% hv/core/oracle.c,$<),,-fsanitize=fuzzer-no-link) $(EXTRA) -MMD -MP -c -o $@ $<
endef
$(B)/fuzz/obj/%.o: %.c | $(DEPS)/.done
	$(compile-fuzz)

FUZZ_TIME ?= 20
FUZZ_ALL := $(call tests-in,fuzz)
FUZZ := $(if $(T),$(filter $(T),$(FUZZ_ALL)),$(FUZZ_ALL))
$(foreach t,$(FUZZ_ALL),$(eval $(call program,fuzz,$(t),tests/fuzz/$(t).c \
	$(call sources-of,tests/fuzz/$(t).c),$(call comment,tests/fuzz/$(t).c,flags),$(call comment,tests/fuzz/$(t).c,libs))))

fuzz-build: $(FUZZ:%=$(B)/fuzz/%)
fuzz: fuzz-build
	@tests/run --variant $(VARIANT) fuzz --fuzz-seed 0 --fuzz-time $(FUZZ_TIME) $(if $(T),--only '$(T)')

# --- everything. Negative controls boot other variants, which are built as well: those that a system test names. Most of them
# differ in nothing but the hypervisor.
named-in = $(filter-out $(VARIANT),$(sort $(shell sed -n 's/.*[^a-z_]$(1)="\([a-z]*\)".*/\1/p' $(2))))
build-named-in = for v in $(call named-in,hv_variant,$(1)); do $(MAKE) VARIANT=$$v hv || exit 1; done; \
	for v in $(call named-in,guest_variant,$(1)); do $(MAKE) VARIANT=$$v build/$$v/guest.img || exit 1; done; \
	for v in $(call named-in,variant,$(1)); do $(MAKE) VARIANT=$$v boot || exit 1; done
images-test: all
	@$(call build-named-in,tests/system/test_*.py)
# JOBS: emulated machines at a time.
system: images-test
	@tests/run --variant $(VARIANT) system $(if $(T),--only '$(T)') $(JOBS:%=--jobs %)
test: deps images-test unit-build fuzz-build
	@tests/run --variant $(VARIANT) unit model fuzz system --fuzz-time $(FUZZ_TIME)

# The long form of the hostile tests: tests/torture.py --help. Some of its segments take a kernel of their own.
torture: deps images-test unit-build fuzz-build $(if $(T),$(if $(filter kasan% allocations,$(T)),debug-images),debug-images)
	@$(call build-named-in,$(wildcard tests/torture/*.py) /dev/null)
	@tests/torture.py --variant $(VARIANT) $(T)
