//! Products of many rows with blocks of 4 bits, x rounded to int8 by 32s as for few rows: a prompt in generation, on
//! machines whose products of bf16 are products of f32. AVX2 multiplies 32 pairs of bytes an instruction; their sums fit
//! in 16 bits over a group, for numbers of 4 bits and no more.

use super::dots::{Layout, round};
use super::groups::{GROUP, Sink, every_format, walk};
use super::lanes::{Lanes, lanes_kernels};
use super::place::Place;
use super::{Blocks, Format};
use crate::Isa;
use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Element, Floats, FloatsMut};
use crate::gemm::Plus;

/// Outputs of a panel of packed weights: two vectors.
const PANEL: usize = 16;
/// f32 of memory of a group of a panel: for every four inputs those of each output side by side, then scales and minima.
const GROUP_WORDS: usize = PANEL * GROUP / 4 + 2 * PANEL;
/// Rows of x whose sums are kept in registers.
const ROWS: usize = 4;
/// Rows of x that a task takes: they stay in the second cache while a panel is in the first.
const BLOCK: usize = 128;
/// Panels that it takes.
const PANELS: usize = 8;
/// f32 of scratch for packed weights: they stay in the last cache until they are multiplied.
const STRETCH: usize = 2 << 20;

/// Whether products with these weights are made here: asked for, and faster than by way of floats.
pub fn serves(context: &Context, weights: &[Blocks]) -> bool {
    let four_bits =
        |weight: &Blocks| matches!(weight.format, Format::Q4_0 | Format::Q4_1 | Format::Q4K);
    context.int8
        && context.precision == Precision::Bf16
        && context.isa == Isa::Avx2
        && weights.iter().all(four_bits)
}

/// y[rows, sum of outputs] = x Wᵀ of weights of one input, side by side, plus `plus` laid out as y.
pub fn linears(
    context: &Context,
    x: Floats,
    rows: usize,
    weights: &[Blocks],
    y: FloatsMut,
    plus: Plus,
) {
    let Some(k) = weights.first().map(|weight| weight.inputs) else {
        return;
    };
    let stride = weights.iter().map(|weight| weight.outputs).sum();
    assert!(x.len() >= rows * k);
    let x = Rounded::new(context, x, rows, k);
    match y {
        FloatsMut::F32(c) => {
            let place = Place::new(c, plus, rows, stride, stride);
            x.multiply(context, weights, &place);
        }
        FloatsMut::Bf16(c) => {
            let place = Place::new(c, plus, rows, stride, stride);
            x.multiply(context, weights, &place);
        }
    }
}

/// Rows of x, each as what `Layout` calls factors, then as int8.
struct Rounded<'a> {
    words: &'a [f32],
    rows: usize,
    k: usize,
}

impl<'a> Rounded<'a> {
    fn new(context: &'a Context, x: Floats, rows: usize, k: usize) -> Self {
        let stride = stride_of(k);
        // SAFETY: nothing else of this call uses this scratch.
        let words = unsafe { context.shared_scratch(Purpose::Activations, rows * stride) };
        let to = Shared::new(words);
        let layout = Layout { rows: 1, k };
        context.run_sized(rows, 8 * k, &|row, worker| unsafe {
            let scratch = context.scratch(worker, Purpose::Inputs, layout.words());
            match x {
                Floats::F32(x) => scratch[..k].copy_from_slice(&x[row * k..][..k]),
                Floats::Bf16(x) => {
                    for (to, from) in scratch[..k].iter_mut().zip(&x[row * k..]) {
                        *to = from.value();
                    }
                }
            }
            round(context.isa, scratch, layout, true);
            let record = to.part(row * stride, (row + 1) * stride);
            let (factors, bytes) = record.split_at_mut(k / GROUP * 2);
            factors.copy_from_slice(&scratch[layout.factors()..][..factors.len()]);
            bytes.copy_from_slice(&scratch[layout.bytes()..][..bytes.len()]);
        });
        Self { words, rows, k }
    }

    fn multiply<E: Element>(&self, context: &Context, weights: &[Blocks], place: &Place<E>) {
        let most = (STRETCH / (self.k / GROUP * GROUP_WORDS)).max(1) * PANEL;
        let mut at = 0;
        for weight in weights {
            for from in (0..weight.outputs).step_by(most) {
                let part = weight.rows(from, weight.outputs.min(from + most));
                self.multiply_part(context, part, at + from, place);
            }
            at += weight.outputs;
        }
    }

    fn multiply_part<E: Element>(
        &self,
        context: &Context,
        weight: Blocks,
        column: usize,
        place: &Place<E>,
    ) {
        let (isa, groups, n) = (context.isa, self.k / GROUP, weight.outputs);
        let (panels, words) = (n.div_ceil(PANEL), groups * GROUP_WORDS);
        // SAFETY: nothing else of this call uses this scratch.
        let packed = unsafe { context.shared_scratch(Purpose::Unpacked, panels * words) };
        let to = Shared::new(packed);
        context.split(panels, PANEL * self.k, &|from, end| unsafe {
            for panel in from..end {
                let part = weight.rows(panel * PANEL, n.min((panel + 1) * PANEL));
                pack_panel(isa, part, to.part(panel * words, (panel + 1) * words));
            }
        });
        let packed = &*packed;
        let stretches = panels.div_ceil(PANELS);
        let tasks = self.rows.div_ceil(BLOCK) * stretches;
        // For the compiler not to write the loop over them out, whose order then keeps nothing in registers.
        let quads = std::hint::black_box(GROUP / 4);
        context.run(tasks, &|task, _| unsafe {
            let (first, stretch) = (task / stretches * BLOCK, task % stretches * PANELS);
            let mut sums = [[0.0; PANEL]; ROWS];
            for panel in stretch..panels.min(stretch + PANELS) {
                let columns = PANEL.min(n - panel * PANEL);
                let weights = &packed[panel * words..][..words];
                let end = self.rows.min(first + BLOCK);
                for row in (first..end).step_by(ROWS) {
                    let rows = ROWS.min(end - row);
                    let x = &self.words[row * stride_of(self.k)..];
                    multiply_tile(isa, quads, groups, weights, x, rows, &mut sums);
                    let column = column + panel * PANEL;
                    place.put(isa, row, column, &sums[..rows], columns);
                }
            }
        });
    }
}

/// f32 of memory from a row of x to the next.
fn stride_of(k: usize) -> usize {
    k / GROUP * 2 + k / 4
}

lanes_kernels! {
    /// Up to PANEL rows of blocks as GROUP_WORDS says, zeros for those that are missing.
    fn pack_panel(weight: Blocks, to: &mut [f32]) = pack_panel_body;
    /// Sums of rows of x with the outputs of a panel. `quads` is GROUP / 4, not known before.
    fn multiply_tile(
        quads: usize,
        groups: usize,
        panel: &[f32],
        x: &[f32],
        rows: usize,
        sums: &mut [[f32; PANEL]; ROWS],
    ) = multiply_tile_body;
}

#[inline(always)]
unsafe fn pack_panel_body<L: Lanes>(weight: Blocks, to: &mut [f32]) {
    assert!(weight.outputs <= PANEL && to.len() == weight.inputs / GROUP * GROUP_WORDS);
    if weight.outputs < PANEL {
        to.fill(0.0);
    }
    every_format!(weight.format, |FORMAT| {
        for column in 0..weight.outputs {
            let mut sink = Column {
                to: to.as_mut_ptr().add(column),
            };
            walk::<L, _>(FORMAT, weight.row(column), weight.inputs, &mut sink);
        }
    })
}

/// A column of a panel, from its next group on.
struct Column {
    to: *mut f32,
}

impl<L: Lanes> Sink<L> for Column {
    #[inline(always)]
    unsafe fn group<const SIGNED: bool, const PART: usize>(&mut self, q: L::Q, scale: L::P) {
        let mut bytes = [0u32; GROUP / 4];
        L::store_bytes(bytes.as_mut_ptr() as *mut u8, q);
        for (quad, bytes) in bytes.into_iter().enumerate() {
            *(self.to.add(quad * PANEL) as *mut u32) = bytes;
        }
        let factors = self.to.add(GROUP / 4 * PANEL);
        *factors = L::first(scale);
        *factors.add(PANEL) = L::second(scale);
        self.to = self.to.add(GROUP_WORDS);
    }
    #[inline(always)]
    unsafe fn halves(&mut self, _q: L::Q, _scales: [L::P; 2]) {
        unreachable!("`serves` names the formats");
    }
    #[inline(always)]
    unsafe fn values(&mut self, _values: [L::V; 4]) {
        unreachable!("`serves` names the formats");
    }
}

#[inline(always)]
unsafe fn multiply_tile_body<L: Lanes>(
    quads: usize,
    groups: usize,
    panel: &[f32],
    x: &[f32],
    rows: usize,
    sums: &mut [[f32; PANEL]; ROWS],
) {
    let stride = stride_of(groups * GROUP);
    assert!(panel.len() >= groups * GROUP_WORDS && x.len() >= rows * stride);
    let (panel, x) = (panel.as_ptr(), x.as_ptr());
    match rows {
        1 => some_rows::<L, 1>(quads, groups, panel, x, stride, sums),
        2 => some_rows::<L, 2>(quads, groups, panel, x, stride, sums),
        3 => some_rows::<L, 3>(quads, groups, panel, x, stride, sums),
        _ => some_rows::<L, 4>(quads, groups, panel, x, stride, sums),
    }
}

#[inline(always)]
unsafe fn some_rows<L: Lanes, const N: usize>(
    quads: usize,
    groups: usize,
    panel: *const f32,
    x: *const f32,
    stride: usize,
    sums: &mut [[f32; PANEL]; ROWS],
) {
    let mut totals = [[L::splat(0.0); 2]; N];
    for g in 0..groups {
        let panel = panel.add(g * GROUP_WORDS);
        let bytes = x.add(groups * 2 + g * GROUP / 4);
        let mut products = [[L::no_products(); 2]; N];
        for quad in 0..quads {
            let weights = panel.add(quad * PANEL) as *const u8;
            let weights = [L::bytes(weights), L::bytes(weights.add(GROUP))];
            for (i, products) in products.iter_mut().enumerate() {
                let four = bytes.add(i * stride + quad) as *const i8;
                *products = L::add_products(*products, weights, four);
            }
        }
        let factors = panel.add(quads * PANEL);
        for (i, totals) in totals.iter_mut().enumerate() {
            let own = x.add(i * stride + 2 * g);
            let (scale, sum) = (L::splat(*own), L::splat(*own.add(1)));
            for v in 0..2 {
                let product = L::mul(L::load(factors.add(8 * v)), scale);
                let minimum = L::load(factors.add(PANEL + 8 * v));
                let total = L::fma(L::products(products[i][v]), product, totals[v]);
                totals[v] = L::fma(minimum, sum, total);
            }
        }
    }
    for (totals, sums) in totals.iter().zip(sums) {
        for v in 0..2 {
            L::store(sums.as_mut_ptr().add(8 * v), totals[v]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::tested;
    use crate::noise::noise;
    use crate::quantised::formats::dequantise;
    use crate::quantised::quantise::quantise;

    /// The largest difference to sums in f64 over what the format says and what x was rounded to, as a share of the
    /// largest result.
    fn difference(context: &Context, format: Format, rows: usize) -> f64 {
        let (outputs, k) = ([37, 16, 70], 256);
        let n: usize = outputs.iter().sum();
        let (x, plus) = (noise(rows * k, 2), noise(rows * n, 3));
        let mut w = vec![0.0; n * k];
        let bytes: Vec<Vec<u8>> = outputs
            .iter()
            .zip([0, 37, 53])
            .map(|(&outputs, from)| {
                let mut bytes = vec![0; format.bytes(outputs * k).unwrap()];
                quantise(format, &noise(outputs * k, 5), &mut bytes);
                dequantise(format, &bytes, &mut w[from * k..(from + outputs) * k]);
                bytes
            })
            .collect();
        let weights: Vec<Blocks> = outputs
            .iter()
            .zip(&bytes)
            .map(|(&outputs, bytes)| Blocks::new(format, bytes, outputs, k).unwrap())
            .collect();
        let mut y = vec![0.0; rows * n];
        let add = Plus::Rows((&plus[..]).into());
        linears(
            context,
            (&x[..]).into(),
            rows,
            &weights,
            (&mut y[..]).into(),
            add,
        );
        let rounded: Vec<f64> = x
            .chunks(GROUP)
            .flat_map(|x| {
                let most = x.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                let whole = move |&x: &f32| (x * (127.0 / most)).round_ties_even();
                x.iter()
                    .map(move |x| whole(x) as f64 * (most / 127.0) as f64)
            })
            .collect();
        let (mut worst, mut largest) = (0.0f64, 0.0f64);
        for row in 0..rows {
            for column in 0..n {
                let terms = (0..k).map(|p| rounded[row * k + p] * w[column * k + p] as f64);
                let at = row * n + column;
                let wanted = terms.sum::<f64>() + plus[at] as f64;
                worst = worst.max((y[at] as f64 - wanted).abs());
                largest = largest.max(wanted.abs());
            }
        }
        worst / largest
    }

    #[test]
    fn products_are_those_of_the_rounded_rows_with_the_numbers_that_blocks_mean() {
        for isa in tested() {
            for format in [Format::Q4_0, Format::Q4_1, Format::Q4K] {
                for rows in [1, 2, 7, 131] {
                    for threads in [1, 3] {
                        let context = Context::new(isa, threads, Precision::Bf16);
                        let off = difference(&context, format, rows);
                        assert!(off < 1e-5, "{} {} {rows}: {off}", isa.name(), format.name());
                    }
                }
            }
        }
    }

    #[test]
    fn they_are_made_where_they_are_asked_for_alone() {
        let bytes = [0; 18];
        let weight = Blocks::new(Format::Q4_0, &bytes, 1, 32).unwrap();
        let wide = [0; 34];
        let wide = Blocks::new(Format::Q8_0, &wide, 1, 32).unwrap();
        for precision in [Precision::F32, Precision::Bf16] {
            for int8 in [false, true] {
                let mut context = Context::new(Isa::Avx2, 1, precision);
                context.int8 = int8;
                let wanted = int8 && precision == Precision::Bf16;
                assert_eq!(serves(&context, &[weight, weight]), wanted);
                assert!(!serves(&context, &[weight, wide]));
            }
        }
    }
}
