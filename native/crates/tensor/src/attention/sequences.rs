//! Attention of sequences of any lengths that lie one after the other in the rows of one matrix, for inference: rotary
//! positions, what a cache keeps, and causal attention in one call.

use super::forward::{Forward, Task, cuts, part};
use super::{Lines, Shape};
use crate::context::{Context, Purpose, Shared};
use crate::element::Element;
use crate::rope::Turn;

/// Queries, keys and values as columns of the rows of a matrix, in this order.
#[derive(Clone, Copy)]
pub struct Columns {
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Of the rotary positions.
    pub theta: f64,
}

impl Columns {
    /// Of a row of the matrix.
    pub fn width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// Of a row of keys, or of values.
    pub fn kept(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    fn key(&self, kv_head: usize) -> usize {
        (self.heads + kv_head) * self.head_dim
    }

    fn value(&self, kv_head: usize) -> usize {
        self.key(self.kv_heads + kv_head)
    }
}

/// `length` rows of the matrix, which come after `before` positions.
pub struct Sequence<'a, E> {
    pub length: usize,
    pub before: usize,
    pub earlier: Earlier<'a, E>,
}

/// Where the keys and values of the positions before lie.
pub enum Earlier<'a, E> {
    /// In rows of the matrix from this one on: of another sequence, with which several begin.
    Rows(usize),
    /// In rows of `Columns::kept` from the first position on; those of the sequence are written behind them. No two
    /// sequences have the same.
    Cache {
        keys: Shared<'a, E>,
        values: Shared<'a, E>,
    },
}

/// y[rows, heads * head_dim] of what each row of qkv[rows, width] sees: the positions before its sequence, and those of
/// the sequence up to its own. Queries and keys are turned where they lie.
pub fn attend<E: Element>(
    context: &Context,
    qkv: &mut [E],
    y: &mut [E],
    sequences: &[Sequence<E>],
    columns: Columns,
) {
    let firsts: Vec<usize> = sequences
        .iter()
        .scan(0, |next, sequence| {
            *next += sequence.length;
            Some(*next - sequence.length)
        })
        .collect();
    let rows: usize = sequences.iter().map(|sequence| sequence.length).sum();
    let (heads, kv_heads, d) = (columns.heads, columns.kv_heads, columns.head_dim);
    assert!(kv_heads > 0 && heads.is_multiple_of(kv_heads));
    assert!(qkv.len() == rows * columns.width() && y.len() == rows * heads * d);
    for sequence in sequences {
        let end = sequence.before + sequence.length;
        match &sequence.earlier {
            Earlier::Rows(first) => assert!(first + sequence.before <= rows),
            Earlier::Cache { keys, values } => {
                assert!(keys.len().min(values.len()) >= end * columns.kept())
            }
        }
    }
    place(context, qkv, sequences, &firsts, columns);
    let qkv = &*qkv;
    let forwards: Vec<Forward> = sequences
        .iter()
        .map(|sequence| Forward::new(context, shape(sequence, columns), None))
        .collect();
    // SAFETY: nothing else of this call uses this scratch of the whole call.
    let log_sums = unsafe { context.shared_scratch(Purpose::Sums, rows * heads) };
    let (y, log_sums) = (Shared::new(y), Shared::new(log_sums));
    let cuts = cuts(
        heads / kv_heads,
        sequences.len() * kv_heads,
        context.threads,
    );
    let tasks = sequences.len() * kv_heads * cuts;
    let cost: usize = forwards
        .iter()
        .map(|forward| forward.cost() * kv_heads)
        .sum();
    context.run_sized(tasks, cost / tasks.max(1), &|task, worker| unsafe {
        let (i, kv_head, cut) = (task / cuts / kv_heads, task / cuts % kv_heads, task % cuts);
        let (sequence, first) = (&sequences[i], firsts[i]);
        let (keys, values) = seen(context, worker, qkv, sequence, first, kv_head, columns);
        let task = Task {
            q: &qkv[first * columns.width()..],
            keys,
            values,
            y: y.rest(first * heads * d),
            log_sum_exp: log_sums.rest(first * heads),
            b: 0,
            heads: part(shape(sequence, columns).sharing(kv_head), cut, cuts),
        };
        forwards[i].run(context, worker, &task);
    });
}

/// Turns queries and keys by their positions, and writes keys and values into the caches.
fn place<E: Element>(
    context: &Context,
    qkv: &mut [E],
    sequences: &[Sequence<E>],
    firsts: &[usize],
    columns: Columns,
) {
    let (width, kept) = (columns.width(), columns.kept());
    let (keys_at, values_at) = (columns.key(0), columns.value(0));
    let ends = sequences
        .iter()
        .map(|sequence| sequence.before + sequence.length);
    let heads = columns.heads + columns.kv_heads;
    let positions = ends.max().unwrap_or(0);
    let turn = Turn::new(context, positions, heads, columns.head_dim, columns.theta);
    let rows = Shared::new(qkv);
    context.split(rows.len() / width.max(1), 2 * width, &|from, to| {
        for (sequence, &first) in sequences.iter().zip(firsts) {
            for row in from.max(first)..to.min(first + sequence.length) {
                let position = sequence.before + row - first;
                // SAFETY: the row is this task's alone, and so is its place in the cache.
                let line = unsafe { rows.part(row * width, (row + 1) * width) };
                turn.row(line, position);
                if let Earlier::Cache { keys, values } = &sequence.earlier {
                    let [keys, values] = [keys, values]
                        .map(|cache| unsafe { cache.part(position * kept, (position + 1) * kept) });
                    keys.copy_from_slice(&line[keys_at..][..kept]);
                    values.copy_from_slice(&line[values_at..][..kept]);
                }
            }
        }
    });
}

/// Of one row of a batch, with keys and values laid out as `seen` gives them.
fn shape<E>(sequence: &Sequence<E>, columns: Columns) -> Shape {
    let lines = |width: usize| Lines { width, offset: 0 };
    let kept = lines(match sequence.earlier {
        Earlier::Cache { .. } => columns.kept(),
        Earlier::Rows(_) if sequence.before == 0 => columns.width(),
        Earlier::Rows(_) => columns.head_dim,
    });
    let key_length = sequence.before + sequence.length;
    Shape {
        batch: 1,
        time: sequence.length,
        capacity: key_length,
        heads: columns.heads,
        kv_heads: columns.kv_heads,
        head_dim: columns.head_dim,
        key_length,
        causal: true,
        queries: lines(columns.width()),
        keys: kept,
        values: kept,
    }
}

/// The keys and values of one head that a sequence sees: where they lie, or copied together where they lie apart.
unsafe fn seen<'a, E: Element>(
    context: &'a Context,
    worker: usize,
    qkv: &'a [E],
    sequence: &Sequence<'a, E>,
    first: usize,
    kv_head: usize,
    columns: Columns,
) -> (&'a [E], &'a [E]) {
    let (d, width) = (columns.head_dim, columns.width());
    let at = [columns.key(kv_head), columns.value(kv_head)];
    let length = sequence.before + sequence.length;
    let [keys, values] = match &sequence.earlier {
        // Several tasks read them: no unique slices.
        Earlier::Cache { keys, values } => [keys, values].map(|cache| {
            let kept = std::slice::from_raw_parts(cache.pointer(), length * columns.kept());
            &kept[kv_head * d..]
        }),
        Earlier::Rows(_) if sequence.before == 0 => at.map(|at| &qkv[first * width + at..]),
        Earlier::Rows(earlier) => {
            let words = 2 * length * d;
            let copies = context.scratch(worker, Purpose::Joined, words).as_mut_ptr() as *mut E;
            let copies = std::slice::from_raw_parts_mut(copies, words);
            let positions =
                (*earlier..earlier + sequence.before).chain(first..first + sequence.length);
            for (i, row) in positions.enumerate() {
                for (half, at) in at.into_iter().enumerate() {
                    let to = (half * length + i) * d;
                    copies[to..to + d].copy_from_slice(&qkv[row * width + at..][..d]);
                }
            }
            let (keys, values) = copies.split_at(length * d);
            [keys, values]
        }
    };
    (keys, values)
}

#[cfg(test)]
mod tests;
