//! Products with weights that stay in their blocks: y = x Wᵀ.
//!
//! A few rows of x (generation) read the blocks once and unpack them in registers: against f32, or against x rounded to
//! int8 by 32s where the precision is bf16, which is what llama.cpp does too. More rows unpack a stretch of W to f32 or bf16
//! and take the product that training has, or that of `quads.rs` where the context allows it.

use super::Blocks;
use super::dots::{AT_ONCE, Layout, STRIP, dots, round};
use super::place::Place;
use super::quads;
use super::unpack::unpack;
use crate::context::{Context, Precision, Purpose};
use crate::element::{Bf16, Element, Floats, FloatsMut};
use crate::gemm::{Matrix, Output, Plus, gemm};

/// Rows of x up to which the blocks are unpacked for each: beyond, unpacking to memory once is faster.
const FEW_ROWS: usize = 8;
/// f32 of scratch for a stretch of W, 8 MB: it stays in the last cache until it is packed.
const STRETCH: usize = 2 << 20;

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
    if rows == 0 || width == 0 {
        return;
    }
    if rows <= FEW_ROWS {
        assert!(x.len() >= rows * weights[0].inputs && y.len() >= rows * width);
        return few_rows(context, x, rows, weights, y, width, plus);
    }
    if quads::serves(context, weights) {
        return quads::linears(context, x, rows, weights, y, plus);
    }
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
    let width = weights.iter().map(|weight| weight.outputs).sum();
    match y {
        FloatsMut::F32(c) => {
            let place = Place::new(c, plus, rows, width, stride);
            each_part(context, scratch, layout, weights, int8, &place);
        }
        FloatsMut::Bf16(c) => {
            let place = Place::new(c, plus, rows, width, stride);
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
        let mut sums = [[0.0; STRIP]; AT_ONCE];
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
                    place.put(context.isa, first, strip, &sums[..rows], columns);
                }
            }
            at += weight.outputs;
        }
    });
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
    use crate::isa::tested;
    use crate::quantised::Format;
    use crate::quantised::formats::{FORMATS, dequantise};
    use crate::quantised::quantise::quantise;
    use crate::quantised::unpack::gather_rows;

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
        for isa in tested() {
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
        for isa in tested() {
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
