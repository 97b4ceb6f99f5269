//! Softmax, RMSNorm and LayerNorm over the last axis.

use crate::context::{Context, Purpose, Shared};
use crate::element::{Element, Floats, FloatsMut};
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// exp(x) / sum(exp(x)) of each row, or its logarithm.
pub fn softmax(context: &Context, x: &[f32], y: &mut [f32], columns: usize, log: bool) {
    assert!(x.len() == y.len() && columns > 0 && x.len().is_multiple_of(columns));
    let out = Shared::new(y);
    context.split(x.len() / columns, 4 * columns, &|from, to| unsafe {
        for row in from..to {
            let line = &x[row * columns..(row + 1) * columns];
            softmax_row(
                context.isa,
                line,
                out.part(row * columns, (row + 1) * columns),
                log,
            );
        }
    });
}

/// dx = y (dy - sum(y dy)), for the logarithm dx = dy - exp(y) sum(dy); or dx += with `add`.
pub fn softmax_gradient(
    context: &Context,
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    columns: usize,
    log: bool,
    add: bool,
) {
    assert!(
        y.len() == dy.len()
            && dy.len() == dx.len()
            && columns > 0
            && y.len().is_multiple_of(columns)
    );
    let out = Shared::new(dx);
    context.split(y.len() / columns, 4 * columns, &|from, to| unsafe {
        for row in from..to {
            let span = row * columns..(row + 1) * columns;
            let dx = out.part(span.start, span.end);
            softmax_gradient_row(context.isa, &y[span.clone()], &dy[span], dx, log, add);
        }
    });
}

/// y = x / rms(x) * weight; inverse[row] = 1 / rms(x).
pub fn rms_norm(
    context: &Context,
    x: &[f32],
    weight: &[f32],
    y: FloatsMut,
    inverse: &mut [f32],
    eps: f32,
) {
    match y {
        FloatsMut::F32(y) => rms_norm_into(context, x, weight, y, inverse, eps),
        FloatsMut::Bf16(y) => rms_norm_into(context, x, weight, y, inverse, eps),
    }
}

/// y = x / rms(x) * weight with the 1 / rms(x) of before.
pub fn rms_norm_again(
    context: &Context,
    x: &[f32],
    weight: &[f32],
    y: &mut [f32],
    inverse: &[f32],
) {
    let columns = weight.len();
    assert!(columns > 0 && x.len() == y.len() && x.len() == inverse.len() * columns);
    let out = Shared::new(y);
    context.split(x.len() / columns, columns, &|from, to| unsafe {
        for row in from..to {
            let span = row * columns..(row + 1) * columns;
            let y = out.part(span.start, span.end);
            let pairs = x[span].iter().zip(weight).zip(y);
            pairs.for_each(|((x, weight), y)| *y = x * inverse[row] * weight);
        }
    });
}

fn rms_norm_into<E: Element>(
    context: &Context,
    x: &[f32],
    weight: &[f32],
    y: &mut [E],
    inverse: &mut [f32],
    eps: f32,
) {
    let columns = weight.len();
    assert!(columns > 0 && x.len() == y.len() && x.len() == inverse.len() * columns);
    let (out, inverses) = (Shared::new(y), Shared::new(inverse));
    context.split(x.len() / columns, columns, &|from, to| unsafe {
        for (row, inverse) in (from..to).zip(inverses.part(from, to)) {
            let span = row * columns..(row + 1) * columns;
            *inverse = rms_row(
                context.isa,
                &x[span.clone()],
                weight,
                out.part(span.start, span.end),
                eps,
            );
        }
    });
}

/// y = (x - mean(x)) / sqrt(variance(x) + eps) * weight + bias.
pub fn layer_norm(
    context: &Context,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    y: &mut [f32],
    eps: f32,
) {
    let columns = weight.len();
    assert!(columns > 0 && bias.len() == columns);
    assert!(x.len() == y.len() && x.len().is_multiple_of(columns));
    let out = Shared::new(y);
    context.split(x.len() / columns, 2 * columns, &|from, to| unsafe {
        for row in from..to {
            let span = row * columns..(row + 1) * columns;
            let to = out.part(span.start, span.end);
            layer_row(context.isa, &x[span], weight, bias, to, eps);
        }
    });
}

/// The gradients by x and weight, each into its output when there is one; `adds` says to add to it. The sum over
/// rows runs in parts of a fixed number of rows.
pub fn rms_norm_gradient(
    context: &Context,
    x: &[f32],
    weight: &[f32],
    inverse: &[f32],
    dy: Floats,
    dx: Option<&mut [f32]>,
    dweight: Option<&mut [f32]>,
    adds: [bool; 2],
) {
    match dy {
        Floats::F32(dy) => rms_gradient_of(context, x, weight, inverse, dy, dx, dweight, adds),
        Floats::Bf16(dy) => rms_gradient_of(context, x, weight, inverse, dy, dx, dweight, adds),
    }
}

fn rms_gradient_of<E: Element>(
    context: &Context,
    x: &[f32],
    weight: &[f32],
    inverse: &[f32],
    dy: &[E],
    dx: Option<&mut [f32]>,
    dweight: Option<&mut [f32]>,
    adds: [bool; 2],
) {
    const ROWS: usize = 128;
    let columns = weight.len();
    let rows = inverse.len();
    assert!(columns > 0 && x.len() == rows * columns && dy.len() == x.len());
    assert!(dx.as_ref().is_none_or(|dx| dx.len() == x.len()));
    let parts = rows.div_ceil(ROWS);
    let sums = unsafe { context.shared_scratch(Purpose::Sums, (parts * columns).max(1)) };
    let sums = &mut sums[..parts * columns];
    sums.fill(0.0);
    let (sums_out, dx) = (Shared::new(sums), dx.map(Shared::new));
    context.split(parts, ROWS * columns, &|from, to| unsafe {
        for part in from..to {
            let sum = sums_out.part(part * columns, (part + 1) * columns);
            for row in part * ROWS..((part + 1) * ROWS).min(rows) {
                let span = row * columns..(row + 1) * columns;
                let to = dx.map(|dx| dx.part(span.start, span.end));
                let (x, dy) = (&x[span.clone()], &dy[span]);
                rms_gradient_row(context.isa, x, weight, inverse[row], dy, to, sum, adds[0]);
            }
        }
    });
    if let Some(dweight) = dweight {
        sum_parts(sums, dweight, adds[1]);
    }
}

/// to = the sum of parts of its length, one after the other; or to += with `add`.
pub fn sum_parts(parts: &[f32], to: &mut [f32], add: bool) {
    if !add {
        to.fill(0.0);
    }
    for part in parts.chunks(to.len()) {
        to.iter_mut().zip(part).for_each(|(to, x)| *to += x);
    }
}

kernels! {
    fn softmax_row(x: &[f32], y: &mut [f32], log: bool) = softmax_body;
    fn softmax_gradient_row(y: &[f32], dy: &[f32], dx: &mut [f32], log: bool, add: bool) = softmax_gradient_body;
    fn rms_row<E>(x: &[f32], weight: &[f32], y: &mut [E], eps: f32) -> f32 = rms_body;
    fn layer_row(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32], eps: f32) = layer_body;
    fn rms_gradient_row<E>(x: &[f32], weight: &[f32], inverse: f32, dy: &[E], dx: Option<&mut [f32]>, sum: &mut [f32], add: bool) = rms_gradient_body;
}

#[inline(always)]
unsafe fn get<S: Simd>(x: &[impl Element], i: usize, left: usize) -> S::V {
    simd::get::<S>(x.as_ptr().add(i), left)
}

#[inline(always)]
unsafe fn put<S: Simd>(y: &mut [impl Element], i: usize, left: usize, v: S::V) {
    simd::put::<S>(y.as_mut_ptr().add(i), left, v);
}

#[inline(always)]
pub unsafe fn largest_body<S: Simd>(x: &[f32]) -> f32 {
    let whole = x.len() / S::LANES * S::LANES;
    let mut most = S::splat(f32::NEG_INFINITY);
    for i in (0..whole).step_by(S::LANES) {
        most = S::max(S::load(x.as_ptr().add(i)), most);
    }
    x[whole..].iter().fold(S::largest(most), |m, &x| m.max(x))
}

/// The largest of x and the sum of exp(x - largest).
#[inline(always)]
pub unsafe fn largest_and_sum_body<S: Simd>(x: &[f32]) -> (f32, f32) {
    let largest = largest_body::<S>(x);
    let whole = x.len() / S::LANES * S::LANES;
    let shift = S::splat(largest);
    let mut sums = S::splat(0.0);
    for i in (0..whole).step_by(S::LANES) {
        let e = simd::exp::<S>(S::sub(S::load(x.as_ptr().add(i)), shift));
        sums = S::add(sums, e);
    }
    let rest: f32 = x[whole..].iter().map(|x| (x - largest).exp()).sum();
    (largest, S::sum(sums) + rest)
}

#[inline(always)]
unsafe fn softmax_body<S: Simd>(x: &[f32], y: &mut [f32], log: bool) {
    let (largest, sum) = largest_and_sum_body::<S>(x);
    let n = x.len();
    if log {
        let shift = S::splat(largest + sum.ln());
        vectors!(S, n, |i, left| {
            put::<S>(y, i, left, S::sub(get::<S>(x, i, left), shift));
        });
        return;
    }
    let (shift, factor) = (S::splat(largest), S::splat(1.0 / sum));
    vectors!(S, n, |i, left| {
        let e = simd::exp::<S>(S::sub(get::<S>(x, i, left), shift));
        put::<S>(y, i, left, S::mul(e, factor));
    });
}

#[inline(always)]
unsafe fn softmax_gradient_body<S: Simd>(
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    log: bool,
    add: bool,
) {
    let n = y.len();
    let mut sums = S::splat(0.0);
    vectors!(S, n, |i, left| {
        let d = get::<S>(dy, i, left);
        sums = if log {
            S::add(sums, d)
        } else {
            S::fma(get::<S>(y, i, left), d, sums)
        };
    });
    let sum = S::splat(S::sum(sums));
    vectors!(S, n, |i, left| {
        let (p, d) = (get::<S>(y, i, left), get::<S>(dy, i, left));
        let g = if log {
            S::sub(d, S::mul(simd::exp::<S>(p), sum))
        } else {
            S::mul(p, S::sub(d, sum))
        };
        let g = if add {
            S::add(get::<S>(dx, i, left), g)
        } else {
            g
        };
        put::<S>(dx, i, left, g);
    });
}

#[inline(always)]
unsafe fn rms_body<S: Simd, E: Element>(x: &[f32], weight: &[f32], y: &mut [E], eps: f32) -> f32 {
    let n = x.len();
    let mut sums = S::splat(0.0);
    vectors!(S, n, |i, left| {
        let v = get::<S>(x, i, left);
        sums = S::fma(v, v, sums);
    });
    let inverse = 1.0 / (S::sum(sums) / n as f32 + eps).sqrt();
    let factor = S::splat(inverse);
    vectors!(S, n, |i, left| {
        let v = S::mul(get::<S>(x, i, left), factor);
        put::<S>(y, i, left, S::mul(v, get::<S>(weight, i, left)));
    });
    inverse
}

#[inline(always)]
unsafe fn layer_body<S: Simd>(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32], eps: f32) {
    let n = x.len();
    let whole = n / S::LANES * S::LANES;
    let mut sums = S::splat(0.0);
    for i in (0..whole).step_by(S::LANES) {
        sums = S::add(sums, S::load(x.as_ptr().add(i)));
    }
    let mean = (S::sum(sums) + x[whole..].iter().sum::<f32>()) / n as f32;
    let shift = S::splat(mean);
    // The distances from the mean, not the squares less its square: those cancel where the mean is large.
    let mut squares = S::splat(0.0);
    for i in (0..whole).step_by(S::LANES) {
        let v = S::sub(S::load(x.as_ptr().add(i)), shift);
        squares = S::fma(v, v, squares);
    }
    let rest: f32 = x[whole..].iter().map(|x| (x - mean) * (x - mean)).sum();
    let variance = (S::sum(squares) + rest) / n as f32;
    let factor = S::splat(1.0 / (variance + eps).sqrt());
    vectors!(S, n, |i, left| {
        let v = S::mul(S::sub(get::<S>(x, i, left), shift), factor);
        let scaled = S::fma(v, get::<S>(weight, i, left), get::<S>(bias, i, left));
        put::<S>(y, i, left, scaled);
    });
}

/// dx = inverse (weight dy - x inverse² mean(weight dy x)); sum += dy x inverse
#[inline(always)]
unsafe fn rms_gradient_body<S: Simd, E: Element>(
    x: &[f32],
    weight: &[f32],
    inverse: f32,
    dy: &[E],
    dx: Option<&mut [f32]>,
    sum: &mut [f32],
    add: bool,
) {
    let n = x.len();
    let factor = S::splat(inverse);
    let mut dots = S::splat(0.0);
    vectors!(S, n, |i, left| {
        let normal = S::mul(get::<S>(x, i, left), factor);
        let d = get::<S>(dy, i, left);
        put::<S>(sum, i, left, S::fma(d, normal, get::<S>(sum, i, left)));
        dots = S::fma(S::mul(d, get::<S>(weight, i, left)), normal, dots);
    });
    let Some(dx) = dx else { return };
    let mean = S::splat(-S::sum(dots) / n as f32);
    vectors!(S, n, |i, left| {
        let normal = S::mul(get::<S>(x, i, left), factor);
        let d = S::mul(get::<S>(dy, i, left), get::<S>(weight, i, left));
        let g = S::mul(factor, S::fma(normal, mean, d));
        let g = if add {
            S::add(get::<S>(dx, i, left), g)
        } else {
            g
        };
        put::<S>(dx, i, left, g);
    });
}
