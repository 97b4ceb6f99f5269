#!/bin/sh
# Builds the tests of the kernel crate for 64-bit ARM and runs them under qemu: once on a CPU with products of bf16
# matrices, once on one with plain NEON. Installs nothing. Arguments go to the tests: native/test-aarch64.sh gemm
#
# It needs a Rust of version 1.89 or newer with the standard library for aarch64-unknown-linux-gnu, a linker and qemu.
# Debian and Ubuntu, as root:
#   dpkg --add-architecture arm64 && apt-get update
#   apt-get install rustc-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
# or, where rustup's servers can be reached, instead of the first two packages:
#   rustup target add aarch64-unknown-linux-gnu
set -eu
cd "$(dirname "$0")"
target=aarch64-unknown-linux-gnu
minimum=89

missing() {
  echo "test-aarch64: $1 is missing; the head of native/test-aarch64.sh says how to get it" >&2
  exit 1
}

# Whether this rustc is new enough and has the standard library for the target.
fits() {
  minor=$("$1" --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
  [ -n "$minor" ] && [ "$minor" -ge "$minimum" ] || return 1
  ls "$("$1" --print target-libdir --target "$target" 2>/dev/null)"/libstd-*.rlib >/dev/null 2>&1
}

compiler=
for candidate in "${RUSTC:-}" "$(command -v rustc || true)" /usr/bin/rustc; do
  if [ -n "$candidate" ] && fits "$candidate"; then
    compiler=$candidate
    break
  fi
done
[ -n "$compiler" ] || missing "a rustc >= 1.$minimum with the standard library for $target"
command -v cargo >/dev/null || missing cargo
command -v aarch64-linux-gnu-gcc >/dev/null || missing aarch64-linux-gnu-gcc
command -v qemu-aarch64 >/dev/null || missing qemu-aarch64

echo "test-aarch64: $("$compiler" --version), $(qemu-aarch64 --version | head -1)"
export RUSTC="$compiler"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
# Static, since qemu may otherwise find the loader of one ARM libc and the library of another.
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static"
for cpu in max cortex-a72; do
  echo "test-aarch64: on $cpu"
  # Cargo hands the test program and its arguments to the runner.
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -cpu $cpu" \
    cargo test --release --target "$target" --target-dir target/aarch64 -p smolforge-tensor --lib -- "$@"
done
