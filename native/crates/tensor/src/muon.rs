//! Muon: momentum made orthogonal by Newton-Schulz iteration (Jordan et al. 2024).
//!
//! A step of the iteration is X <- P X with P = a I + b G + c G², G = X Xᵀ. All the P are polynomials of the first G,
//! so in f32 the iteration goes on with the small G alone and X is multiplied once, by the product of the P: half the
//! work where X is three times as long as it is high. What G loses by rounding grows with every step, more than bf16
//! has digits for: where products of bf16 are fast, `restarted.rs` multiplies X twice.

mod restarted;

use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Bf16, Element};
use crate::gemm::{Inputs, Matrix, Output, gemm};
use crate::simd::{self, Simd};
use crate::{elementwise, kernels, vectors};
use restarted::restarted;

#[derive(Clone, Copy)]
pub struct Muon {
    pub learning_rate: f32,
    pub momentum: f32,
    pub nesterov: bool,
    pub steps: usize,
    pub weight_decay: f32,
    pub gradient_scale: f32,
}

pub struct Entry<'a> {
    pub parameter: &'a mut [f32],
    pub gradient: &'a [f32],
    pub momentum: &'a mut [f32],
    pub rows: usize,
    pub columns: usize,
}

const A: f32 = 3.4445;
const B: f32 = -4.7750;
const C: f32 = 2.0315;

/// One step for every matrix in place.
pub fn muon(context: &Context, entries: &mut [Entry], settings: Muon) {
    for entry in entries.iter() {
        let n = entry.rows * entry.columns;
        assert!(
            entry.parameter.len() == n && entry.gradient.len() == n && entry.momentum.len() == n
        );
    }
    // A matrix is worked on by one thread when there are enough of them, else by all.
    if context.threads == 1 || entries.len() < 2 * context.threads {
        let full = (Inputs::of(context) == Inputs::Floats && context.precision != Precision::F32)
            .then(|| Context::new(context.isa, context.threads, Precision::F32));
        let context = full.as_ref().unwrap_or(context);
        return entries
            .iter_mut()
            .for_each(|entry| one(context, entry, settings));
    }
    struct Entries<'a, 'b>(*mut Entry<'a>, std::marker::PhantomData<&'b ()>);
    unsafe impl Sync for Entries<'_, '_> {}
    let shared = Entries(entries.as_mut_ptr(), std::marker::PhantomData);
    let singles = context.singles();
    context.run(entries.len(), &|task, worker| {
        let shared = &shared;
        // Every task has an entry of its own.
        one(
            &singles[worker],
            unsafe { &mut *shared.0.add(task) },
            settings,
        );
    });
}

fn one(context: &Context, entry: &mut Entry, settings: Muon) {
    let Entry {
        parameter,
        gradient,
        momentum,
        rows,
        columns,
    } = entry;
    let (rows, columns) = (*rows, *columns);
    let n = rows * columns;
    if n == 0 {
        return;
    }
    let made_with = Settings {
        steps: settings.steps,
        rate: settings.learning_rate * (rows as f32 / columns as f32).max(1.0).sqrt(),
        keep: 1.0 - settings.learning_rate * settings.weight_decay,
    };
    if Inputs::of(context) == Inputs::Floats {
        let side = rows.min(columns);
        let work = unsafe { context.shared_scratch(Purpose::Matrix, 2 * n + 5 * side * side) };
        let (x, rest) = work.split_at_mut(n);
        let (made, squares) = rest.split_at_mut(n);
        direct(context, momentum, gradient, x, settings);
        let factor = by_gram(context, rows, columns, settings.steps, x, made, squares);
        let Settings { rate, keep, .. } = made_with;
        elementwise::combine(context, made, -rate * factor, parameter, keep);
    } else {
        let length = n.div_ceil(2).next_multiple_of(16);
        let words = length + restarted::words(rows, columns);
        let work = unsafe { context.shared_scratch(Purpose::Matrix, words) };
        let (x, rest) = work.split_at_mut(length);
        let x = unsafe { std::slice::from_raw_parts_mut(x.as_mut_ptr() as *mut Bf16, n) };
        direct(context, momentum, gradient, x, settings);
        restarted(context, (rows, columns), x, rest, parameter, made_with);
    }
}

/// What the orthogonal matrix is made and used with.
#[derive(Clone, Copy)]
struct Settings {
    steps: usize,
    rate: f32,
    /// What the decay leaves of the parameter.
    keep: f32,
}

/// One step of momentum, and the direction that comes of it.
fn direct<E: Element>(
    context: &Context,
    momentum: &mut [f32],
    gradient: &[f32],
    direction: &mut [E],
    settings: Muon,
) {
    let n = gradient.len();
    let (m, direction) = (Shared::new(momentum), Shared::new(direction));
    context.split(n, 2, &|from, to| unsafe {
        let (m, direction) = (m.part(from, to), direction.part(from, to));
        momentum_part(context.isa, m, &gradient[from..to], direction, settings);
    });
}

kernels! {
    fn momentum_part<E>(m: &mut [f32], g: &[f32], direction: &mut [E], settings: Muon) = momentum_body;
}

/// Momentum moves towards the gradient; the direction is it, or with Nesterov it one step ahead.
#[inline(always)]
unsafe fn momentum_body<S: Simd, E: Element>(
    m: &mut [f32],
    g: &[f32],
    direction: &mut [E],
    settings: Muon,
) {
    let keep = S::splat(settings.momentum);
    let take = S::splat((1.0 - settings.momentum) * settings.gradient_scale);
    let n = m.len();
    let (m, g, direction) = (m.as_mut_ptr(), g.as_ptr(), direction.as_mut_ptr());
    vectors!(S, n, |i, left| {
        let slope = S::mul(take, simd::get::<S>(g.add(i), left));
        let moved = S::fma(keep, simd::get::<S>(m.add(i), left), slope);
        simd::put::<S>(m.add(i), left, moved);
        let ahead = if settings.nesterov {
            S::fma(keep, moved, slope)
        } else {
            moved
        };
        simd::put::<S>(direction.add(i), left, ahead);
    });
}

/// out = x made orthogonal, but for the factor that is returned. x is [rows, columns]; a high one is multiplied from
/// the right, so that nothing is transposed.
fn by_gram(
    context: &Context,
    rows: usize,
    columns: usize,
    steps: usize,
    x: &[f32],
    out: &mut [f32],
    work: &mut [f32],
) -> f32 {
    let wide = rows <= columns;
    let (side, long) = (rows.min(columns), rows.max(columns));
    let size = side * side;
    let (gram, rest) = work.split_at_mut(size);
    let (poly, rest) = rest.split_at_mut(size);
    let (product, rest) = rest.split_at_mut(size);
    let (other, rest) = rest.split_at_mut(size);
    let (mut product, mut other, half) = (product, other, &mut rest[..size]);
    if wide {
        let right = Matrix::columns(x, columns);
        let left = |top: usize| Matrix::rows(&x[top * columns..], columns);
        symmetric(context, side, long, &left, right, gram);
    } else {
        let right = Matrix::rows(x, columns);
        let left = |top: usize| Matrix::columns(&x[top..], columns);
        symmetric(context, side, long, &left, right, gram);
    }
    let trace: f64 = (0..side).map(|i| gram[i * (side + 1)] as f64).sum();
    let factor = 1.0 / (trace.sqrt() as f32 + 1e-7);
    gram.iter_mut().for_each(|g| *g *= factor * factor);
    product.fill(0.0);
    add_diagonal(product, side, 1.0);
    for step in 0..steps {
        polynomial(context, side, gram, poly);
        if step == 0 {
            product.copy_from_slice(poly);
        } else {
            commuting(context, side, poly, product, other);
            std::mem::swap(&mut product, &mut other);
        }
        if step + 1 < steps {
            commuting(context, side, poly, gram, half);
            commuting(context, side, poly, half, gram);
        }
    }
    let (x, q) = (Matrix::rows(x, columns), Matrix::rows(&*product, side));
    let out = Output::new(out, columns, false);
    if wide {
        gemm(context, rows, columns, side, q, x, out);
    } else {
        gemm(context, rows, columns, side, x, q, out);
    }
    factor
}

/// poly = A I + B gram + C gram²
fn polynomial(context: &Context, n: usize, gram: &[f32], poly: &mut [f32]) {
    commuting(context, n, gram, gram, poly);
    elementwise::combine(context, gram, B, poly, C);
    add_diagonal(poly, n, A);
}

fn add_diagonal(matrix: &mut [f32], n: usize, value: f32) {
    for i in 0..n {
        matrix[i * (n + 1)] += value;
    }
}

/// out = a b for symmetric a and b that commute: it is symmetric too.
fn commuting(context: &Context, n: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
    let left = |top: usize| Matrix::rows(&a[top * n..], n);
    symmetric(context, n, n, &left, Matrix::rows(b, n), out);
}

/// out[n, n] = left[n, k] right[k, n], known to be symmetric: blocks of rows up to the diagonal, the rest mirrored.
/// `left` gives the rows from one on.
fn symmetric<'a>(
    context: &Context,
    n: usize,
    k: usize,
    left: &dyn Fn(usize) -> Matrix<'a>,
    right: Matrix,
    out: &mut [f32],
) {
    let block = n.div_ceil(4).max(48);
    for top in (0..n).step_by(block) {
        let bottom = (top + block).min(n);
        let rows = Output::new(&mut out[top * n..bottom * n], n, false);
        gemm(context, bottom - top, bottom, k, left(top), right, rows);
    }
    // In squares that stay in the first cache.
    const SQUARE: usize = 32;
    for top in (0..n).step_by(SQUARE) {
        for first in (top..n).step_by(SQUARE) {
            for row in top..(top + SQUARE).min(n) {
                for column in first.max(row + 1)..(first + SQUARE).min(n) {
                    out[row * n + column] = out[column * n + row];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa;

    fn noise(n: usize, even: bool) -> Vec<f32> {
        let mut state = 7u32;
        (0..n)
            .map(|i| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                let x = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
                if even {
                    return x;
                }
                // Singular values from large to very small, as gradients have them.
                x * 10f32.powf(-((i % 40) as f32) / 8.0) + ((i % 3) as f32 - 1.0) * 0.1
            })
            .collect()
    }

    /// The iteration as it is written down, in f64.
    fn slow(x: &[f32], rows: usize, columns: usize, steps: usize) -> Vec<f64> {
        let product = |a: &dyn Fn(usize, usize) -> f64,
                       b: &dyn Fn(usize, usize) -> f64,
                       (m, n, k): (usize, usize, usize)| {
            let mut c = vec![0.0; m * n];
            for i in 0..m {
                for l in 0..k {
                    let left = a(i, l);
                    for j in 0..n {
                        c[i * n + j] += left * b(l, j);
                    }
                }
            }
            c
        };
        let (side, long) = (rows.min(columns), rows.max(columns));
        let at = |i: usize, j: usize| {
            if rows <= columns {
                i * columns + j
            } else {
                j * columns + i
            }
        };
        let norm = x.iter().map(|&x| (x * x) as f64).sum::<f64>().sqrt() + 1e-7;
        let mut y: Vec<f64> = (0..side * long)
            .map(|i| x[at(i / long, i % long)] as f64 / norm)
            .collect();
        for _ in 0..steps {
            let g = product(
                &|i, l| y[i * long + l],
                &|l, j| y[j * long + l],
                (side, side, long),
            );
            let g2 = product(
                &|i, l| g[i * side + l],
                &|l, j| g[l * side + j],
                (side, side, side),
            );
            let p: Vec<f64> = g
                .iter()
                .zip(&g2)
                .map(|(g, g2)| B as f64 * g + C as f64 * g2)
                .collect();
            let py = product(
                &|i, l| p[i * side + l],
                &|l, j| y[l * long + j],
                (side, long, side),
            );
            y = y.iter().zip(&py).map(|(y, py)| A as f64 * y + py).collect();
        }
        let mut out = vec![0.0; rows * columns];
        for i in 0..side {
            for j in 0..long {
                out[at(i, j)] = y[i * long + j];
            }
        }
        out
    }

    /// |parameter - expected| / |orthogonal|, of one step from `start` with these settings.
    fn error(
        context: &Context,
        (rows, columns): (usize, usize),
        settings: Muon,
        count: usize,
        even: bool,
    ) -> f64 {
        let n = rows * columns;
        let gradient = noise(n, even);
        let start: Vec<f32> = (0..n).map(|i| (i % 7) as f32 - 3.0).collect();
        let mut parameters = vec![start.clone(); count];
        let mut momenta = vec![vec![0.0; n]; count];
        let mut entries: Vec<_> = parameters
            .iter_mut()
            .zip(&mut momenta)
            .map(|(parameter, momentum)| Entry {
                parameter,
                gradient: &gradient,
                momentum,
                rows,
                columns,
            })
            .collect();
        muon(context, &mut entries, settings);
        assert!(parameters.iter().all(|each| *each == parameters[0]));
        let rate = (rows as f64 / columns as f64).max(1.0).sqrt();
        let keep = 1.0 - settings.weight_decay as f64;
        let expected = slow(&gradient, rows, columns, settings.steps);
        let apart: f64 = (0..n)
            .map(|i| parameters[0][i] as f64 - keep * start[i] as f64 + rate * expected[i])
            .map(|x| x * x)
            .sum();
        let length: f64 = expected.iter().map(|e| (rate * e).powi(2)).sum();
        (apart / length).sqrt()
    }

    const PLAIN: Muon = Muon {
        learning_rate: 1.0,
        momentum: 0.0,
        nesterov: false,
        steps: 5,
        weight_decay: 0.0,
        gradient_scale: 1.0,
    };

    #[test]
    fn follows_the_plain_iteration_on_every_instruction_set() {
        for isa in isa::tested() {
            for (precision, bound) in [(Precision::F32, 2e-3), (Precision::Bf16, 0.12)] {
                for shape in [(1, 5), (40, 40), (33, 120), (130, 50), (96, 64), (256, 300)] {
                    let context = Context::new(isa, 2, precision);
                    // One matrix by all threads, and one thread for each of many.
                    for count in [1, 4] {
                        let relative = error(&context, shape, PLAIN, count, true);
                        assert!(
                            relative < bound / 2.0,
                            "{shape:?}: {relative}, {}",
                            isa.name()
                        );
                        let relative = error(&context, shape, PLAIN, count, false);
                        assert!(relative < bound, "{shape:?}: {relative}, {}", isa.name());
                    }
                }
            }
        }
    }

    #[test]
    fn follows_it_for_any_number_of_steps_and_decays_what_was_there() {
        for precision in [Precision::F32, Precision::Bf16] {
            let context = Context::new(isa::Isa::choose().0, 2, precision);
            for steps in 1..=7 {
                let settings = Muon {
                    steps,
                    weight_decay: 0.25,
                    ..PLAIN
                };
                for shape in [(48, 90), (90, 48)] {
                    let relative = error(&context, shape, settings, 1, true);
                    assert!(
                        relative < 0.06,
                        "{shape:?} {steps} steps {precision:?}: {relative}"
                    );
                }
            }
        }
    }
}
