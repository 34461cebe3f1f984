# A thin front: the build is CMake's (CMakePresets.json), longer steps are in scripts/.
# Each target installs what it needs, and none needs another to have run.
PREFIX ?= /usr/local

.PHONY: run test build bench quickstart lint fuzz test-long test-contract test-arm clean install help

help:
	@echo "make run            build, get the demo model, open the page to label, train and prove on"
	@echo "make build          the program: build/release/hone"
	@echo "make test           build and run every test"
	@echo "make bench          speed on this machine, beside its ceiling"
	@echo "make quickstart     the loop on the command line: train the demo model, show what it learnt"
	@echo "make lint           clang-format and clang-tidy"
	@echo "make fuzz           each reader against random bytes, FUZZ_SECONDS=300 each"
	@echo "make test-long      1,000 simulations where make test has fewer; every test under the sanitisers"
	@echo "make test-contract  the same bits whatever the batch or threads; the API as its document says"
	@echo "make test-arm       the same bits on Arm (NEON and SVE under qemu)"
	@echo "make install        PREFIX=$(PREFIX)"
	@echo "make clean          removes build/; models and runs stay"

run:
	@scripts/run.sh

quickstart:
	@scripts/quickstart.sh

test:
	@scripts/test.sh release

build:
	@scripts/build.sh

bench:
	@scripts/bench.sh

lint:
	@scripts/lint.sh

fuzz:
	@scripts/fuzz.sh

test-long:
	@HONE_TEST_LONG=1 scripts/test.sh release
	@scripts/test.sh dev tsan

test-contract:
	@scripts/contract.sh

test-arm:
	@scripts/test_arm.sh

install: build
	cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build
