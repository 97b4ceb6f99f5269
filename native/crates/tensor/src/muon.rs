//! Muon: momentum made orthogonal by Newton-Schulz iteration (Jordan et al. 2024), in f32.

use crate::context::{Context, Precision, Purpose};
use crate::gemm::{Matrix, Output, gemm};
use crate::{elementwise, reduce};

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

/// One step for every matrix in place. Each is worked on by one thread when there are enough of them.
pub fn muon(context: &Context, entries: &mut [Entry], settings: Muon) {
    for entry in entries.iter() {
        let n = entry.rows * entry.columns;
        assert!(
            entry.parameter.len() == n && entry.gradient.len() == n && entry.momentum.len() == n
        );
    }
    if context.threads == 1 || entries.len() < 2 * context.threads {
        let full = (context.precision != Precision::F32)
            .then(|| Context::new(context.isa, context.threads, Precision::F32));
        let full = full.as_ref().unwrap_or(context);
        return entries
            .iter_mut()
            .for_each(|entry| one(full, entry, settings));
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
    let (short, long) = (rows.min(columns), rows.max(columns));
    let work = unsafe { context.shared_scratch(Purpose::Matrix, 2 * n + 2 * short * short) };
    let (mut x, rest) = work.split_at_mut(n);
    let (mut next, rest) = rest.split_at_mut(n);
    let (gram, poly) = rest.split_at_mut(short * short);
    for (m, &g) in momentum.iter_mut().zip(gradient.iter()) {
        *m = settings.momentum * *m + (1.0 - settings.momentum) * settings.gradient_scale * g;
    }
    for ((to, &m), &g) in next.iter_mut().zip(momentum.iter()).zip(gradient.iter()) {
        let g = settings.gradient_scale * g;
        *to = if settings.nesterov {
            (1.0 - settings.momentum) * g + settings.momentum * m
        } else {
            m
        };
    }
    if rows > columns {
        reduce::transpose(context, next, x, rows, columns, false);
    } else {
        x.copy_from_slice(next);
    }
    let norm = reduce::total(context, x, true).sqrt() as f32 + 1e-7;
    x.iter_mut().for_each(|x| *x /= norm);
    for _ in 0..settings.steps {
        // gram = x xᵀ; poly = B gram + C gram²; x = A x + poly x
        symmetric(context, short, long, x, gram);
        symmetric(context, short, short, gram, poly);
        elementwise::combine(context, gram, B, poly, C);
        elementwise::scale(context, x, A, next, false);
        let (left, right) = (Matrix::rows(&*poly, short), Matrix::rows(&*x, long));
        gemm(
            context,
            short,
            long,
            short,
            left,
            right,
            Output::new(&mut *next, long, true),
        );
        std::mem::swap(&mut x, &mut next);
    }
    if rows > columns {
        reduce::transpose(context, x, next, columns, rows, false);
    } else {
        next.copy_from_slice(x);
    }
    let rate = settings.learning_rate * (rows as f32 / columns as f32).max(1.0).sqrt();
    let keep = 1.0 - settings.learning_rate * settings.weight_decay;
    for (p, x) in parameter.iter_mut().zip(next.iter()) {
        *p = keep * *p - rate * x;
    }
}

/// out = x xᵀ for x[n, k]: blocks of rows up to the diagonal, the rest mirrored.
fn symmetric(context: &Context, n: usize, k: usize, x: &[f32], out: &mut [f32]) {
    let block = n.div_ceil(4).max(48);
    for top in (0..n).step_by(block) {
        let bottom = (top + block).min(n);
        let (left, right) = (Matrix::rows(&x[top * k..], k), Matrix::columns(x, k));
        gemm(
            context,
            bottom - top,
            bottom,
            k,
            left,
            right,
            Output::new(&mut out[top * n..bottom * n], n, false),
        );
    }
    for row in 0..n {
        for column in row + 1..n {
            out[row * n + column] = out[column * n + row];
        }
    }
}
