# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Guests of the block backend: test-blk-hostile lies to it in every way, the disk example is its neighbour.

$(eval $(call guest_program,test-blk-hostile,tests/block/hostile.c tests/guests/check.c,32 64))

BLOCK_GUESTS := $(foreach w,32 64,guests/hostile$(w)=$(B)/guest$(w)/test-blk-hostile)
BLOCK_FILES := $(foreach c,$(notdir $(wildcard tests/block/*.cfg)),guests/$(c)=tests/block/$(c)) \
               $(BLOCK_GUESTS) images/hostile.img=$(B)/images/blank.img

$(B)/tests/block.rd: scripts/ramdisk.py $(B)/dom0.rd $(foreach p,$(BLOCK_FILES),$(lastword $(subst =, ,$(p))))
	$(call say,RAMDISK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) $< $@ $(BLOCK_FILES)

.PHONY: check-block
check-block: $(B)/paravane $(B)/dom0 $(B)/guest64/dom0 $(B)/dom0.rd $(B)/tests/block.rd
	$(Q)PYTHONPATH=tests/system $(PYTHON) -m pytest -q -p no:cacheprovider -p conftest tests/block
CHECKS += check-block
