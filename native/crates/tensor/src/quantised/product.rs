//! Products with weights that stay in their blocks: y = x Wᵀ.
//!
//! A few rows of x (generation) read the blocks once and unpack them in registers: against f32, or against x rounded to
//! int8 by 32s where the precision is bf16, which is what llama.cpp does too. More rows (a prompt) unpack a stretch of W to
//! f32 or bf16 and take the product that training has.

use super::Format;
use super::groups::{Sink, walk};
use super::lanes::{Lanes, lanes_kernels};
use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Bf16, Element, Floats, FloatsMut};
use crate::gemm::{Matrix, Output, Plus, gemm};

/// Elements of a group, and of what x is rounded by: what a row is made of.
pub const GROUP: usize = 32;
/// Rows of x up to which the blocks are unpacked for each: beyond, unpacking to memory once is faster.
const FEW_ROWS: usize = 8;
/// Rows of x that share what was unpacked to registers.
const AT_ONCE: usize = 4;
/// f32 of scratch for a stretch of W, 8 MB: it stays in the last cache until it is packed.
const STRETCH: usize = 2 << 20;

/// A weight [outputs, inputs] in rows of blocks.
#[derive(Clone, Copy)]
pub struct Blocks<'a> {
    format: Format,
    bytes: &'a [u8],
    outputs: usize,
    inputs: usize,
}

impl<'a> Blocks<'a> {
    /// Refused where rows are no whole blocks and groups, or `bytes` are not exactly the rows.
    pub fn new(
        format: Format,
        bytes: &'a [u8],
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, String> {
        let name = format.name();
        if inputs == 0 || !inputs.is_multiple_of(GROUP) {
            return Err(format!("a row of {inputs} is no multiple of {GROUP}"));
        }
        let row = format
            .bytes(inputs)
            .ok_or_else(|| format!("a row of {inputs} has no whole blocks of {name}"))?;
        if row.checked_mul(outputs) != Some(bytes.len()) {
            let held = bytes.len();
            return Err(format!(
                "{outputs} rows of {inputs} in {name} are not {held} bytes"
            ));
        }
        Ok(Self {
            format,
            bytes,
            outputs,
            inputs,
        })
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }

    fn row_bytes(&self) -> usize {
        self.bytes.len() / self.outputs.max(1)
    }

    fn rows(&self, from: usize, to: usize) -> Blocks<'a> {
        let width = self.row_bytes();
        Blocks {
            bytes: &self.bytes[from * width..to * width],
            outputs: to - from,
            ..*self
        }
    }

    unsafe fn row(&self, row: usize) -> *const u8 {
        self.bytes.as_ptr().add(row * self.row_bytes())
    }
}

/// y[rows, outputs] = x[rows, inputs] Wᵀ, and what `out` adds.
pub fn linear(context: &Context, x: Floats, rows: usize, weight: Blocks, mut out: Output) {
    let (k, n) = (weight.inputs, weight.outputs);
    if rows == 0 || n == 0 {
        return;
    }
    assert!(x.len() >= rows * k && out.c.len() >= (rows - 1) * out.stride + n);
    if rows <= FEW_ROWS {
        return few_rows(context, x, rows, &[weight], out.c, out.stride, out.plus);
    }
    let stretch = (STRETCH / k).max(64) / 64 * 64;
    for from in (0..n).step_by(stretch) {
        let part = weight.rows(from, n.min(from + stretch));
        let plus = match out.plus {
            Plus::Rows(rows) => Plus::Rows(rows.from(from)),
            other => other,
        };
        let to = Output {
            c: out.c.rest(from),
            stride: out.stride,
            plus,
        };
        // SAFETY: nothing else of this call, nor `gemm`, uses this scratch.
        let words = unsafe { context.shared_scratch(Purpose::Unpacked, part.outputs * k) };
        let a = Matrix::rows(x, k);
        match context.precision {
            Precision::F32 => {
                unpack(context, part, words);
                gemm(
                    context,
                    rows,
                    part.outputs,
                    k,
                    a,
                    Matrix::columns(&*words, k),
                    to,
                );
            }
            Precision::Bf16 => {
                // SAFETY: f32 are aligned for bf16, and twice as large.
                let halves = unsafe {
                    std::slice::from_raw_parts_mut(words.as_mut_ptr() as *mut Bf16, words.len())
                };
                unpack(context, part, halves);
                gemm(
                    context,
                    rows,
                    part.outputs,
                    k,
                    a,
                    Matrix::columns(&*halves, k),
                    to,
                );
            }
        }
    }
}

/// Layers that share their input: y[rows, sum of outputs], their outputs side by side, plus `plus` laid out as y.
pub fn linears(
    context: &Context,
    x: Floats,
    rows: usize,
    weights: &[Blocks],
    mut y: FloatsMut,
    plus: Plus,
) {
    let width = weights.iter().map(|weight| weight.outputs).sum();
    let mut at = 0;
    for weight in weights.iter().filter(|weight| weight.outputs > 0) {
        let plus = match plus {
            Plus::Rows(rows) => Plus::Rows(rows.from(at)),
            other => other,
        };
        let out = Output {
            c: y.rest(at),
            stride: width,
            plus,
        };
        linear(context, x, rows, *weight, out);
        at += weight.outputs;
    }
}

/// y[i] = W[ids[i]] as f32; every id is a row.
pub fn gather_rows(context: &Context, table: Blocks, ids: &[i32], y: &mut [f32]) {
    let k = table.inputs;
    assert!(y.len() == ids.len() * k);
    for (&id, y) in ids.iter().zip(y.chunks_exact_mut(k)) {
        let id = id as usize;
        unpack(context, table.rows(id, id + 1), y);
    }
}

/// All rows as f32 or bf16.
pub fn unpack<E: Unpacked>(context: &Context, blocks: Blocks, out: &mut [E]) {
    let k = blocks.inputs;
    assert!(out.len() >= blocks.outputs * k);
    let out = Shared::new(out);
    context.split(blocks.outputs, k, &|from, to| unsafe {
        let out = out.part(from * k, to * k);
        E::unpack(context.isa, blocks.rows(from, to), out);
    });
}

/// What blocks are unpacked to.
pub trait Unpacked: Element {
    unsafe fn unpack(isa: crate::Isa, blocks: Blocks, out: &mut [Self]);
}

impl Unpacked for f32 {
    unsafe fn unpack(isa: crate::Isa, blocks: Blocks, out: &mut [f32]) {
        unpack_f32(isa, blocks, out)
    }
}

impl Unpacked for Bf16 {
    unsafe fn unpack(isa: crate::Isa, blocks: Blocks, out: &mut [Bf16]) {
        unpack_bf16(isa, blocks, out)
    }
}

/// Rounds x once and lets the threads share the outputs of all the weights in one fork.
fn few_rows(
    context: &Context,
    x: Floats,
    rows: usize,
    weights: &[Blocks],
    y: FloatsMut,
    stride: usize,
    plus: Plus,
) {
    let layout = Layout {
        rows,
        k: weights[0].inputs,
    };
    let count = rows * layout.k;
    // SAFETY: nothing else of this call uses this scratch.
    let scratch = unsafe { context.shared_scratch(Purpose::Activations, layout.words()) };
    match x {
        Floats::F32(x) => scratch[..count].copy_from_slice(&x[..count]),
        Floats::Bf16(x) => {
            for (to, from) in scratch.iter_mut().zip(&x[..count]) {
                *to = from.value();
            }
        }
    }
    // Floats have no small numbers to multiply int8 with; beside them all are multiplied by f32.
    let is_float = |weight: &Blocks| weight.format.block_elements() == 1;
    let int8 = context.precision == Precision::Bf16 && !weights.iter().any(is_float);
    unsafe { round(context.isa, scratch, layout, int8) };
    let scratch = &*scratch;
    let add = match plus {
        Plus::Nothing => Added::Nothing,
        Plus::Itself => Added::Itself,
        Plus::Rows(Floats::F32(rows)) => Added::Floats(rows),
        Plus::Rows(Floats::Bf16(rows)) => Added::Halves(rows),
    };
    match y {
        FloatsMut::F32(c) => {
            let c = Shared::new(c);
            let place = Place { c, stride, add };
            each_part(context, scratch, layout, weights, int8, &place);
        }
        FloatsMut::Bf16(c) => {
            let c = Shared::new(c);
            let place = Place { c, stride, add };
            each_part(context, scratch, layout, weights, int8, &place);
        }
    }
}

fn each_part<E: Element>(
    context: &Context,
    scratch: &[f32],
    layout: Layout,
    weights: &[Blocks],
    int8: bool,
    place: &Place<E>,
) {
    let width = weights.iter().map(|weight| weight.outputs).sum();
    context.split(width, layout.k * layout.rows, &|from, to| unsafe {
        let mut sums = [0.0f32; AT_ONCE * STRIP];
        let mut at = 0;
        for weight in weights {
            let (begin, end) = (from.max(at), to.min(at + weight.outputs));
            for strip in (begin..end).step_by(STRIP) {
                let columns = STRIP.min(end - strip);
                let part = weight.rows(strip - at, strip - at + columns);
                for first in (0..layout.rows).step_by(AT_ONCE) {
                    let rows = AT_ONCE.min(layout.rows - first);
                    dots(
                        context.isa,
                        scratch,
                        layout,
                        first,
                        rows,
                        part,
                        int8,
                        &mut sums,
                    );
                    for row in 0..rows {
                        place.put(first + row, strip, &sums[row * STRIP..][..columns]);
                    }
                }
            }
            at += weight.outputs;
        }
    });
}

/// Outputs whose sums are kept until they are stored.
const STRIP: usize = 64;

#[derive(Clone, Copy)]
enum Added<'a> {
    Nothing,
    Itself,
    Floats(&'a [f32]),
    Halves(&'a [Bf16]),
}

struct Place<'a, E> {
    c: Shared<'a, E>,
    stride: usize,
    add: Added<'a>,
}

impl<E: Element> Place<'_, E> {
    unsafe fn put(&self, row: usize, column: usize, sums: &[f32]) {
        let at = row * self.stride + column;
        let c = self.c.part(at, at + sums.len());
        for (i, (c, &sum)) in c.iter_mut().zip(sums).enumerate() {
            let more = match self.add {
                Added::Nothing => 0.0,
                Added::Itself => c.value(),
                Added::Floats(rows) => rows[at + i],
                Added::Halves(rows) => rows[at + i].value(),
            };
            *c = E::of(sum + more);
        }
    }
}

/// Where the scratch holds x: as f32, its sums (of both halves of each 32 and of the 32), its scales, and as int8.
#[derive(Clone, Copy)]
struct Layout {
    rows: usize,
    k: usize,
}

impl Layout {
    fn sums(&self) -> usize {
        self.rows * self.k
    }
    fn scales(&self) -> usize {
        self.sums() + self.rows * self.k / GROUP * SUMS
    }
    fn bytes(&self) -> usize {
        self.scales() + self.rows * self.k / GROUP
    }
    fn words(&self) -> usize {
        self.bytes() + self.rows * self.k / 4
    }
}

lanes_kernels! {
    fn round(scratch: &mut [f32], layout: Layout, int8: bool) = round_body;
    fn dots(
        scratch: &[f32],
        layout: Layout,
        first: usize,
        rows: usize,
        weight: Blocks,
        int8: bool,
        sums: &mut [f32; AT_ONCE * STRIP],
    ) = dots_body;
    fn unpack_f32(blocks: Blocks, out: &mut [f32]) = unpack_f32_body;
    fn unpack_bf16(blocks: Blocks, out: &mut [Bf16]) = unpack_bf16_body;
}

/// Sums kept of each group.
const SUMS: usize = 3;

#[inline(always)]
unsafe fn put_sums(sums: *mut f32, g: usize, [first, second]: [f32; 2]) {
    *sums.add(SUMS * g) = first;
    *sums.add(SUMS * g + 1) = second;
    *sums.add(SUMS * g + 2) = first + second;
}

/// Sums by 16 of x; or x as int8 with a scale for each 32, and the sums of what that means.
#[inline(always)]
unsafe fn round_body<L: Lanes>(scratch: &mut [f32], layout: Layout, int8: bool) {
    let base = scratch.as_mut_ptr();
    let (sums, scales) = (base.add(layout.sums()), base.add(layout.scales()));
    let bytes = base.add(layout.bytes()) as *mut i8;
    for g in 0..layout.rows * layout.k / GROUP {
        let x = &*(base.add(g * GROUP) as *const [f32; GROUP]);
        if !int8 {
            let halves = [x[..16].iter().sum::<f32>(), x[16..].iter().sum()];
            put_sums(sums, g, halves);
            continue;
        }
        let mut largest = [0.0f32; 8];
        for i in 0..GROUP {
            let v = x[i].abs();
            let most = &mut largest[i % 8];
            *most = if v > *most { v } else { *most };
        }
        let most = largest
            .iter()
            .fold(0.0f32, |m, &v| if v > m { v } else { m });
        let scale = most / 127.0;
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        let q: [i32; GROUP] = std::array::from_fn(|i| {
            // Rounds to a whole number, ties to even, in what every machine has.
            let shifted = x[i] * inverse + 12_582_912.0;
            (shifted - 12_582_912.0) as i32
        });
        for i in 0..GROUP {
            *bytes.add(g * GROUP + i) = q[i] as i8;
        }
        *scales.add(g) = scale;
        let halves = [q[..16].iter().sum::<i32>(), q[16..].iter().sum()];
        put_sums(sums, g, halves.map(|sum| scale * sum as f32));
    }
}

#[inline(always)]
unsafe fn dots_body<L: Lanes>(
    scratch: &[f32],
    layout: Layout,
    first: usize,
    rows: usize,
    weight: Blocks,
    int8: bool,
    sums: &mut [f32; AT_ONCE * STRIP],
) {
    match rows {
        1 => some_dots::<L, 1>(scratch, layout, first, weight, int8, sums),
        2 => some_dots::<L, 2>(scratch, layout, first, weight, int8, sums),
        3 => some_dots::<L, 3>(scratch, layout, first, weight, int8, sums),
        _ => some_dots::<L, 4>(scratch, layout, first, weight, int8, sums),
    }
}

#[inline(always)]
unsafe fn some_dots<L: Lanes, const ROWS: usize>(
    scratch: &[f32],
    layout: Layout,
    first: usize,
    weight: Blocks,
    int8: bool,
    sums: &mut [f32; AT_ONCE * STRIP],
) {
    let base = scratch.as_ptr();
    let rows = Rows::<ROWS> {
        x: std::array::from_fn(|r| base.add((first + r) * layout.k)),
        sums: std::array::from_fn(|r| {
            base.add(layout.sums() + (first + r) * layout.k / GROUP * SUMS)
        }),
        scales: std::array::from_fn(|r| base.add(layout.scales() + (first + r) * layout.k / GROUP)),
        bytes: std::array::from_fn(|r| {
            (base.add(layout.bytes()) as *const i8).add((first + r) * layout.k)
        }),
    };
    if int8 {
        int_dots::<L, ROWS>(&rows, weight, sums)
    } else {
        float_dots::<L, ROWS>(&rows, weight, sums)
    }
}

struct Rows<const ROWS: usize> {
    x: [*const f32; ROWS],
    sums: [*const f32; ROWS],
    scales: [*const f32; ROWS],
    bytes: [*const i8; ROWS],
}

/// Chooses the format outside of the loop over the rows of W.
macro_rules! every_format {
    ($format:expr, |$constant:ident| $body:expr) => {
        match $format {
            Format::F32 => {
                const $constant: Format = Format::F32;
                $body
            }
            Format::F16 => {
                const $constant: Format = Format::F16;
                $body
            }
            Format::Bf16 => {
                const $constant: Format = Format::Bf16;
                $body
            }
            Format::Q8_0 => {
                const $constant: Format = Format::Q8_0;
                $body
            }
            Format::Q4_0 => {
                const $constant: Format = Format::Q4_0;
                $body
            }
            Format::Q4_1 => {
                const $constant: Format = Format::Q4_1;
                $body
            }
            Format::Q5_0 => {
                const $constant: Format = Format::Q5_0;
                $body
            }
            Format::Q5_1 => {
                const $constant: Format = Format::Q5_1;
                $body
            }
            Format::Q4K => {
                const $constant: Format = Format::Q4K;
                $body
            }
            Format::Q6K => {
                const $constant: Format = Format::Q6K;
                $body
            }
        }
    };
}

#[inline(always)]
unsafe fn int_dots<L: Lanes, const ROWS: usize>(
    rows: &Rows<ROWS>,
    weight: Blocks,
    sums: &mut [f32; AT_ONCE * STRIP],
) {
    every_format!(weight.format, |FORMAT| {
        for column in 0..weight.outputs {
            let mut sink = IntDots::<L, ROWS> {
                rows,
                g: 0,
                sums: [L::splat(0.0); ROWS],
                minima: [0.0; ROWS],
            };
            walk::<L, _>(FORMAT, weight.row(column), weight.inputs, &mut sink);
            for r in 0..ROWS {
                sums[r * STRIP + column] = L::sum(sink.sums[r]) + sink.minima[r];
            }
        }
    })
}

#[inline(always)]
unsafe fn float_dots<L: Lanes, const ROWS: usize>(
    rows: &Rows<ROWS>,
    weight: Blocks,
    sums: &mut [f32; AT_ONCE * STRIP],
) {
    every_format!(weight.format, |FORMAT| {
        for column in 0..weight.outputs {
            let mut sink = FloatDots::<L, ROWS> {
                rows,
                g: 0,
                sums: [L::splat(0.0); ROWS],
                minima: [0.0; ROWS],
            };
            walk::<L, _>(FORMAT, weight.row(column), weight.inputs, &mut sink);
            for r in 0..ROWS {
                sums[r * STRIP + column] = L::sum(sink.sums[r]) + sink.minima[r];
            }
        }
    })
}

struct IntDots<'a, L: Lanes, const ROWS: usize> {
    rows: &'a Rows<ROWS>,
    g: usize,
    sums: [L::V; ROWS],
    minima: [f32; ROWS],
}

impl<L: Lanes, const ROWS: usize> Sink<L> for IntDots<'_, L, ROWS> {
    #[inline(always)]
    unsafe fn group<const SIGNED: bool, const HALVES: bool>(
        &mut self,
        q: L::Q,
        s: [f32; 2],
        m: [f32; 2],
    ) {
        let g = self.g;
        for r in 0..ROWS {
            let a = self.rows.bytes[r].add(g * GROUP);
            let dot = if SIGNED {
                L::dot_signed(q, a)
            } else {
                L::dot(q, a)
            };
            let scale = *self.rows.scales[r].add(g);
            let scales = if HALVES {
                L::two(s[0] * scale, s[1] * scale)
            } else {
                L::splat(s[0] * scale)
            };
            self.sums[r] = L::fma(dot, scales, self.sums[r]);
            if !SIGNED {
                let sums = self.rows.sums[r].add(SUMS * g);
                self.minima[r] += if HALVES {
                    m[0] * *sums + m[1] * *sums.add(1)
                } else {
                    m[0] * *sums.add(2)
                };
            }
        }
        self.g += 1;
    }

    #[inline(always)]
    unsafe fn values(&mut self, _values: [L::V; 4]) {
        // Weights of floats are multiplied by f32.
    }
}

struct FloatDots<'a, L: Lanes, const ROWS: usize> {
    rows: &'a Rows<ROWS>,
    g: usize,
    sums: [L::V; ROWS],
    minima: [f32; ROWS],
}

impl<L: Lanes, const ROWS: usize> Sink<L> for FloatDots<'_, L, ROWS> {
    #[inline(always)]
    unsafe fn group<const SIGNED: bool, const HALVES: bool>(
        &mut self,
        q: L::Q,
        s: [f32; 2],
        m: [f32; 2],
    ) {
        let g = self.g;
        for r in 0..ROWS {
            let x = self.rows.x[r].add(g * GROUP);
            for half in 0..2 {
                let first = L::floats::<SIGNED>(q, 2 * half);
                let second = L::floats::<SIGNED>(q, 2 * half + 1);
                let dot = L::fma(first, L::load(x.add(16 * half)), L::splat(0.0));
                let dot = L::fma(second, L::load(x.add(16 * half + 8)), dot);
                self.sums[r] = L::fma(dot, L::splat(s[half]), self.sums[r]);
                if !SIGNED {
                    self.minima[r] += m[half] * *self.rows.sums[r].add(SUMS * g + half);
                }
            }
        }
        self.g += 1;
    }

    #[inline(always)]
    unsafe fn values(&mut self, values: [L::V; 4]) {
        let g = self.g;
        for r in 0..ROWS {
            let x = self.rows.x[r].add(g * GROUP);
            for i in 0..4 {
                self.sums[r] = L::fma(values[i], L::load(x.add(8 * i)), self.sums[r]);
            }
        }
        self.g += 1;
    }
}

#[inline(always)]
unsafe fn unpack_f32_body<L: Lanes>(blocks: Blocks, out: &mut [f32]) {
    every_format!(blocks.format, |FORMAT| {
        let mut sink = Write {
            to: out.as_mut_ptr(),
        };
        for row in 0..blocks.outputs {
            walk::<L, _>(FORMAT, blocks.row(row), blocks.inputs, &mut sink);
        }
    })
}

#[inline(always)]
unsafe fn unpack_bf16_body<L: Lanes>(blocks: Blocks, out: &mut [Bf16]) {
    let mut group = [0.0f32; GROUP];
    every_format!(blocks.format, |FORMAT| {
        let mut sink = WriteBf16 {
            group: &mut group,
            to: out.as_mut_ptr(),
        };
        for row in 0..blocks.outputs {
            walk::<L, _>(FORMAT, blocks.row(row), blocks.inputs, &mut sink);
        }
    })
}

struct Write {
    to: *mut f32,
}

impl<L: Lanes> Sink<L> for Write {
    #[inline(always)]
    unsafe fn group<const SIGNED: bool, const HALVES: bool>(
        &mut self,
        q: L::Q,
        s: [f32; 2],
        m: [f32; 2],
    ) {
        for i in 0..4 {
            let v = L::fma(
                L::floats::<SIGNED>(q, i),
                L::splat(s[i / 2]),
                L::splat(m[i / 2]),
            );
            L::store(self.to.add(8 * i), v);
        }
        self.to = self.to.add(GROUP);
    }
    #[inline(always)]
    unsafe fn values(&mut self, values: [L::V; 4]) {
        for i in 0..4 {
            L::store(self.to.add(8 * i), values[i]);
        }
        self.to = self.to.add(GROUP);
    }
}

/// A group as f32 on the way.
struct WriteBf16<'a> {
    group: &'a mut [f32; GROUP],
    to: *mut Bf16,
}

impl WriteBf16<'_> {
    #[inline(always)]
    unsafe fn put(&mut self) {
        for i in 0..GROUP {
            let bits = self.group[i].to_bits();
            // Weights are numbers: no case for what is none.
            *self.to.add(i) = Bf16((bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16);
        }
        self.to = self.to.add(GROUP);
    }
}

impl<L: Lanes> Sink<L> for WriteBf16<'_> {
    #[inline(always)]
    unsafe fn group<const SIGNED: bool, const HALVES: bool>(
        &mut self,
        q: L::Q,
        s: [f32; 2],
        m: [f32; 2],
    ) {
        let mut write = Write {
            to: self.group.as_mut_ptr(),
        };
        Sink::<L>::group::<SIGNED, HALVES>(&mut write, q, s, m);
        self.put();
    }
    #[inline(always)]
    unsafe fn values(&mut self, values: [L::V; 4]) {
        let mut write = Write {
            to: self.group.as_mut_ptr(),
        };
        Sink::<L>::values(&mut write, values);
        self.put();
    }
}

/// A small product of every format in both precisions, for the self-check of an instruction set.
pub fn probe(isa: crate::Isa) -> Vec<f32> {
    let (n, k) = (3, 256);
    let mut results = Vec::new();
    let noise = |n: usize, seed: usize| -> Vec<f32> {
        (0..n)
            .map(|i| ((i * 37 + seed) % 101) as f32 / 50.0 - 1.0)
            .collect()
    };
    for precision in [Precision::F32, Precision::Bf16] {
        let context = Context::new(isa, 1, precision);
        for format in super::formats::FORMATS {
            let mut bytes = vec![0; format.bytes(n * k).expect("whole blocks")];
            super::quantise::quantise(format, &noise(n * k, 5), &mut bytes);
            let weight = Blocks::new(format, &bytes, n, k).expect("whole blocks");
            let x = noise(2 * k, 11);
            let mut y = vec![0.0; 2 * n];
            let out = Output::new(&mut y[..], n, false);
            linear(&context, Floats::F32(&x), 2, weight, out);
            results.append(&mut y);
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::TESTED;
    use crate::quantised::formats::{FORMATS, dequantise};
    use crate::quantised::quantise::quantise;

    fn noise(n: usize, mut state: u32) -> Vec<f32> {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(next).collect()
    }

    /// The largest difference to sums in f64 over what the format says, as a share of the largest result.
    fn difference(context: &Context, format: Format, rows: usize) -> f64 {
        let (n, k) = (70, 512);
        let mut bytes = vec![0; format.bytes(n * k).unwrap()];
        quantise(format, &noise(n * k, 1), &mut bytes);
        let mut w = vec![0.0; n * k];
        dequantise(format, &bytes, &mut w);
        let (x, plus) = (noise(rows * k, 2), noise(rows * (n + 3), 3));
        let mut y = vec![0.0; rows * (n + 3)];
        let out = Output {
            c: (&mut y[..]).into(),
            stride: n + 3,
            plus: Plus::Rows((&plus[..]).into()),
        };
        let weight = Blocks::new(format, &bytes, n, k).unwrap();
        linear(context, Floats::F32(&x), rows, weight, out);
        let (mut worst, mut largest) = (0.0f64, 0.0f64);
        for row in 0..rows {
            for column in 0..n {
                let terms = (0..k).map(|p| x[row * k + p] as f64 * w[column * k + p] as f64);
                let at = row * (n + 3) + column;
                let wanted = terms.sum::<f64>() + plus[at] as f64;
                worst = worst.max((y[at] as f64 - wanted).abs());
                largest = largest.max(wanted.abs());
            }
        }
        worst / largest
    }

    #[test]
    fn products_with_blocks_are_those_with_the_numbers_they_mean() {
        for isa in TESTED.into_iter().filter(|isa| isa.available()) {
            for format in FORMATS {
                for rows in [1, 2, 3, 4, 7, 11] {
                    for threads in [1, 3] {
                        let context = Context::new(isa, threads, Precision::F32);
                        let off = difference(&context, format, rows);
                        assert!(off < 1e-5, "{} {} {rows}: {off}", isa.name(), format.name());
                        let context = Context::new(isa, threads, Precision::Bf16);
                        let off = difference(&context, format, rows);
                        assert!(off < 0.01, "{} {} {rows}: {off}", isa.name(), format.name());
                    }
                }
            }
        }
    }

    #[test]
    fn rows_of_a_table_are_unpacked_as_the_reference_does() {
        let (n, k) = (5, 256);
        for isa in TESTED.into_iter().filter(|isa| isa.available()) {
            let context = Context::new(isa, 2, Precision::F32);
            for format in FORMATS {
                let mut bytes = vec![0; format.bytes(n * k).unwrap()];
                quantise(format, &noise(n * k, 4), &mut bytes);
                let mut w = vec![0.0; n * k];
                dequantise(format, &bytes, &mut w);
                let table = Blocks::new(format, &bytes, n, k).unwrap();
                let mut y = vec![0.0; 2 * k];
                gather_rows(&context, table, &[3, 0], &mut y);
                let wanted = w[3 * k..4 * k].iter().chain(&w[..k]);
                for (a, b) in y.iter().zip(wanted) {
                    assert!((a - b).abs() <= 1e-6, "{} {}", isa.name(), format.name());
                }
            }
        }
    }

    #[test]
    fn rows_that_are_no_whole_blocks_and_bytes_that_do_not_fit_are_refused() {
        assert!(Blocks::new(Format::Q4K, &[0; 144], 2, 128).is_err());
        assert!(Blocks::new(Format::Q8_0, &[0; 33], 1, 32).is_err());
        assert!(Blocks::new(Format::F32, &[], usize::MAX, 64).is_err());
        assert!(Blocks::new(Format::F32, &[], 0, 0).is_err());
    }
}
