#!/bin/sh
# Runs the tests of the kernel crate with AMX on a machine without it: in Bochs, as a Sapphire Rapids under a Linux kernel
# that grants tiles. What this tests are the instructions themselves, their encodings and the permission; not their speed.
# Installs nothing; all that it makes lies in native/target/amx.
#
#   native/test-amx.sh BOCHS KERNEL [TESTS..]     native/test-amx.sh ../Bochs/bochs ../vmlinuz isa:: gated::
#
# BOCHS   a folder with the sources of Bochs 3.0 or newer (the folder `bochs` of its repository)
# KERNEL  a Linux kernel (bzImage) from 5.16 on with a console on the serial line, such as boot/vmlinuz-* in Debian's
#         package linux-image-cloud-amd64: apt-get download, then dpkg -x
# TESTS   names as cargo test takes them; without any all tests run, in a few minutes
#
# Debian and Ubuntu, as root: apt-get install g++ make cpio xorriso isolinux syslinux-common busybox-static
set -eu

fail() {
  echo "test-amx: $1" >&2
  exit 1
}

[ $# -ge 2 ] || fail "a folder with the sources of Bochs and a kernel are needed; the head of native/test-amx.sh says which"
bochs=$(cd "$1" && pwd) || fail "there is no folder $1"
[ -f "$bochs/cpu/avx/amx.cc" ] || fail "$1 has no cpu/avx/amx.cc: it is no source of Bochs 3.0 or newer"
[ -f "$2" ] || fail "there is no kernel $2"
kernel=$(realpath "$2")
shift 2
isolinux=/usr/lib/ISOLINUX/isolinux.bin
loader=/usr/lib/syslinux/modules/bios/ldlinux.c32
for file in "$isolinux" "$loader"; do
  [ -f "$file" ] || fail "$file is missing; the head of native/test-amx.sh says how to get it"
done
for program in cargo g++ make cpio xorriso busybox; do
  command -v "$program" >/dev/null || fail "$program is missing; the head of native/test-amx.sh says how to get it"
done

cd "$(dirname "$0")"
mkdir -p target/amx
work=$(realpath target/amx)

# Changes a file of Bochs, and says so where there was nothing to change.
change() {
  sed -i "$2" "$work/bochs/$1"
  grep -q "$3" "$work/bochs/$1" || fail "$1 of this Bochs is not what is changed here: '$3' is not in it"
}

if [ ! -x "$work/bochs/bochs" ]; then
  echo "test-amx: building Bochs"
  rm -rf "$work/bochs"
  cp -R "$bochs" "$work/bochs"
  # Linux gives tiles to programs that ask for them, and to know who does it needs extended feature disable (Intel
  # SDM 1, 13.14), which Bochs lacks: two registers, and an exception at the first use.
  change cpu/msr.cc '/^static MSR_DescriptorPtr\* msr_desc;/a Bit64u xfd, xfd_err;' 'Bit64u xfd'
  change cpu/msr.cc '/msr_desc\[BX_MSR_XSS\] = new/i msr_desc[BX_MSR_IA32_XFD] = new MSR_Descriptor("XFD", BX_ISA_AMX);\nmsr_desc[BX_MSR_IA32_XFD_ERROR] = new MSR_Descriptor("XFD_ERR", BX_ISA_AMX);' '"XFD_ERR"'
  change cpu/msr.cc '/case BX_MSR_XSS:$/i case BX_MSR_IA32_XFD: val64 = xfd; break;\ncase BX_MSR_IA32_XFD_ERROR: val64 = xfd_err; break;' 'val64 = xfd_err'
  change cpu/msr.cc '/case BX_MSR_XSS: \/\//i case BX_MSR_IA32_XFD: xfd = val_64; handleAvxModeChange(); break;\ncase BX_MSR_IA32_XFD_ERROR: xfd_err = val_64; break;' 'xfd_err = val_64'
  change cpu/proc_ctrl.cc '0,/#define LOG_THIS/s//extern Bit64u xfd, xfd_err;\n&/' 'extern Bit64u xfd'
  change cpu/proc_ctrl.cc 's/if (! long64_mode() || ! BX_CPU_THIS_PTR cr4.get_OSXSAVE() ||$/if ((xfd >> 18 \& 1) || ! long64_mode() || ! BX_CPU_THIS_PTR cr4.get_OSXSAVE() ||/' 'if ((xfd'
  change cpu/proc_ctrl.cc '/BX_CPU_C::BxNoAMX(/,/BX_ASSERT(0)/s/ *BX_ASSERT(0);/if (xfd >> 18 \& 1) { xfd_err |= 1 << 18; exception(BX_NM_EXCEPTION, 0); }\n&/' 'xfd_err |='
  change cpu/cpuid.cc 's/leaf->eax |= (1<<3);/leaf->eax |= (1<<3) | (1<<4);/' '(1<<3) | (1<<4)'
  change cpu/cpuid.cc 's/leaf->ecx = xsave_restore\[subfunction\].attr;/leaf->ecx = xsave_restore[subfunction].attr | (subfunction == 18 ? 4 : 0);/' 'subfunction == 18'
  # What it has wrong: the place in memory of a vector of pairs, the second half of what two vectors are rounded to, and
  # what is kept of tiles while another thread runs.
  change cpu/decoder/ia_opcodes_evex.def '/BX_IA_EVEX_VDPBF16PS/s/OP_mVdq32/OP_mVps/' 'VDPBF16PS.*OP_mVps'
  change cpu/avx/avx512_bf16.cc 's/bfloat16(op1.vmm32u(n))/bfloat16(op1.vmm32u(n - DWORD_ELEMENTS(len)))/' 'n - DWORD'
  change cpu/xsave.cc 's/vmm16u(8+n) *= BX_CPU_THIS_PTR amx->tilecfg\[n\].rows/vmm16u(8+n) = BX_CPU_THIS_PTR amx->tilecfg[n].bytes_per_row/' '8+n) = .*bytes_per_row'
  change cpu/xsave.cc 's/vmmubyte(48+n) *= BX_CPU_THIS_PTR amx->tilecfg\[n\].bytes_per_row/vmmubyte(48+n) = BX_CPU_THIS_PTR amx->tilecfg[n].rows/' '48+n) = .*rows'
  change cpu/xsave.cc 's/row < *BX_TILE_REGISTERS/row < BX_TILE_MAX_ROWS/' 'row < BX_TILE_MAX_ROWS'
  change cpu/xsave.cc 's/tile_use_tracker == 0)/tile_use_tracker != 0)/' 'tile_use_tracker != 0)'
  (
    cd "$work/bochs"
    sh ./configure --enable-cpu-level=6 --enable-x86-64 --enable-avx --enable-evex --enable-amx --enable-fpu \
      --enable-repeat-speedups --enable-fast-function-calls --enable-handlers-chaining --with-nogui >configure.out 2>&1 &&
      make -j"$(nproc)" >make.out 2>&1
  ) || fail "Bochs does not build: target/amx/bochs/configure.out and make.out say why"
fi

# Static, since there is nothing else in the guest.
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static -C strip=symbols"
tests=$(cargo test --release --no-run --target x86_64-unknown-linux-gnu --target-dir target/amx/tests -p smolforge-tensor \
  --lib 2>&1 | tee /dev/stderr | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
[ -n "$tests" ] || fail "cargo built no tests"

rm -rf "$work/root" "$work/iso"
mkdir -p "$work/root/proc" "$work/root/dev" "$work/root/tmp" "$work/iso/isolinux"
cp "$tests" "$work/root/tests"
cp "$(command -v busybox)" "$work/root/busybox"
cat >"$work/root/init" <<INIT
#!/busybox sh
/busybox mount -t proc proc /proc
/busybox mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
echo "tiles: \$(/busybox grep -o -m1 -w amx_tile /proc/cpuinfo)"
SMOLFORGE_ISA=amx /tests --test-threads=1 $*
echo "status: \$?"
/busybox sleep 1
/busybox poweroff -f
INIT
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc 2>/dev/null | gzip -1 >../iso/initrd)
cp "$kernel" "$work/iso/kernel"
cp "$isolinux" "$loader" "$work/iso/isolinux"
# Features of the CPU that Bochs and the kernel do not agree on are off.
cat >"$work/iso/isolinux/isolinux.cfg" <<'LOADER'
default linux
label linux
 kernel /kernel
 append initrd=/initrd console=ttyS0 loglevel=4 panic=-1 nokaslr mitigations=off no_timer_check tsc=reliable random.trust_cpu=on no5lvl nopcid noinvpcid nosmap nosmep nopku ibt=off nofsgsbase nox2apic clearcpuid=fsrm,erms
LOADER
xorriso -as mkisofs -quiet -o "$work/boot.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot \
  -boot-load-size 4 -boot-info-table "$work/iso"

cat >"$work/bochsrc" <<BOCHSRC
display_library: nogui
megs: 1024
cpu: model=sapphire_rapids, count=1, ips=100000000
romimage: file=$(find "$work/bochs/bios" -type f -name BIOS-bochs-latest)
vgaromimage: file=$(find "$work/bochs/bios" -type f -name VGABIOS-lgpl-latest.bin)
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial
log: $work/log
clock: sync=none
BOCHSRC
echo "test-amx: booting"
: >"$work/serial"
tail -f "$work/serial" --pid=$$ &
"$work/bochs/bochs" -q -f "$work/bochsrc" >"$work/bochs.out" 2>&1 || true
sleep 1
grep -q '^tiles: amx_tile' "$work/serial" || fail "the guest has no tiles: target/amx/serial and log say more"
grep -q '^status: 0' "$work/serial" || fail "not all tests passed"
