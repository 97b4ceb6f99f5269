use super::{Columns, Earlier, Sequence, attend};
use crate::attention::{Lines, Shape, forward};
use crate::context::{Context, Precision, Shared};
use crate::element::{Bf16, Element, Floats, FloatsMut};
use crate::isa::{Isa, tested};
use crate::noise::noise;
use crate::rope::{self, rope_in_place};
use std::panic::{AssertUnwindSafe, catch_unwind};

const POSITIONS: usize = 80;

/// What the sequences of the test see before them.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    /// All of this earlier sequence.
    Sequence(usize),
    /// So many positions in a cache of its own.
    Cached(usize),
}

const SEQUENCES: [(usize, Before); 8] = [
    (41, Before::Nothing),
    (1, Before::Sequence(0)),
    (19, Before::Sequence(0)),
    (1, Before::Cached(67)),
    (6, Before::Cached(33)),
    (3, Before::Cached(0)),
    (1, Before::Nothing),
    (1, Before::Cached(0)),
];

/// Each sequence by itself: turned, its keys and values laid behind those before, and attended to.
fn one_by_one<E: Element>(
    context: &Context,
    qkv: &[E],
    caches: &[[Vec<E>; 2]],
    c: Columns,
    floats: fn(&[E]) -> Floats,
    floats_mut: fn(&mut [E]) -> FloatsMut,
) -> Vec<E> {
    let (width, kept, own) = (c.width(), c.kept(), c.heads * c.head_dim);
    let mut turned: Vec<Vec<E>> = Vec::new();
    let (mut y, mut at) = (Vec::new(), 0);
    for (i, &(length, before)) in SEQUENCES.iter().enumerate() {
        let start = match before {
            Before::Nothing => 0,
            Before::Sequence(other) => SEQUENCES[other].0,
            Before::Cached(positions) => positions,
        };
        let mut rows = qkv[at * width..(at + length) * width].to_vec();
        let shape = rope::Shape {
            batch: 1,
            time: length,
            heads: c.heads + c.kv_heads,
            head_dim: c.head_dim,
            theta: c.theta,
            start,
        };
        rope_in_place(context, &mut rows, width, shape, false);
        let columns = |rows: &[E], from: usize| -> Vec<E> {
            let lines = rows.chunks(width).flat_map(|row| &row[from..from + kept]);
            lines.copied().collect()
        };
        let [k, v] = [0, 1].map(|which| {
            let mut all = match before {
                Before::Nothing => Vec::new(),
                Before::Sequence(other) => columns(&turned[other], own + which * kept),
                Before::Cached(positions) => caches[i][which][..positions * kept].to_vec(),
            };
            all.extend(columns(&rows, own + which * kept));
            all
        });
        let key_length = start + length;
        let s = Shape {
            batch: 1,
            time: length,
            capacity: key_length,
            heads: c.heads,
            kv_heads: c.kv_heads,
            head_dim: c.head_dim,
            key_length,
            causal: true,
            queries: Lines { width, offset: 0 },
            keys: Lines::alone(c.kv_heads, c.head_dim),
            values: Lines::alone(c.kv_heads, c.head_dim),
        };
        let mut out = vec![E::of(0.0); length * own];
        let mut log_sums = vec![0.0; c.heads * length];
        let (q, k, v) = (floats(&rows), floats(&k), floats(&v));
        forward(
            context,
            q,
            k,
            v,
            floats_mut(&mut out),
            &mut log_sums,
            None,
            s,
        );
        y.extend(out);
        turned.push(rows);
        at += length;
    }
    y
}

fn check<E: Element + PartialEq + std::fmt::Debug>(
    context: &Context,
    c: Columns,
    floats: fn(&[E]) -> Floats,
    floats_mut: fn(&mut [E]) -> FloatsMut,
) {
    let made = |n: usize, seed| -> Vec<E> { noise(n, seed).into_iter().map(E::of).collect() };
    let rows: usize = SEQUENCES.iter().map(|(length, _)| length).sum();
    let mut qkv = made(rows * c.width(), 1);
    let mut caches: Vec<[Vec<E>; 2]> = (0..SEQUENCES.len())
        .map(|i| [2, 3].map(|seed| made(POSITIONS * c.kept(), seed + 10 * i as u32)))
        .collect();
    let wanted = one_by_one(context, &qkv, &caches, c, floats, floats_mut);
    let untouched = caches.clone();
    let shared: Vec<_> = caches
        .iter_mut()
        .map(|[keys, values]| (Shared::new(&mut keys[..]), Shared::new(&mut values[..])))
        .collect();
    let mut y = vec![E::of(0.0); rows * c.heads * c.head_dim];
    let sequences: Vec<Sequence<E>> = SEQUENCES
        .iter()
        .zip(shared)
        .map(|(&(length, before), (keys, values))| {
            let (before, earlier) = match before {
                Before::Nothing => (0, Earlier::Rows(0)),
                Before::Sequence(other) => {
                    let first = SEQUENCES[..other].iter().map(|(length, _)| length).sum();
                    (SEQUENCES[other].0, Earlier::Rows(first))
                }
                Before::Cached(positions) => (positions, Earlier::Cache { keys, values }),
            };
            Sequence {
                length,
                before,
                earlier,
            }
        })
        .collect();
    attend(context, &mut qkv, &mut y, &sequences, c);
    assert!(y == wanted, "{} {}", context.isa.name(), context.threads);
    // The cache holds what it held, then the turned keys and the values of the sequence, then what it held.
    let (width, mut at) = (c.width(), 0);
    for (i, &(length, before)) in SEQUENCES.iter().enumerate() {
        for (which, column) in [(0, c.key(0)), (1, c.value(0))] {
            let mut cache = untouched[i][which].clone();
            if let Before::Cached(positions) = before {
                for row in 0..length {
                    let line = &qkv[(at + row) * width + column..][..c.kept()];
                    cache[(positions + row) * c.kept()..][..c.kept()].copy_from_slice(line);
                }
            }
            assert!(caches[i][which] == cache, "{} {i}", context.isa.name());
        }
        at += length;
    }
}

#[test]
fn sequences_of_one_call_are_what_each_is_by_itself() {
    for isa in tested() {
        for head_dim in [16, 22] {
            for threads in [1, 2, 5] {
                let columns = Columns {
                    heads: 6,
                    kv_heads: 2,
                    head_dim,
                    theta: 1e4,
                };
                let context = Context::new(isa, threads, Precision::F32);
                check::<f32>(&context, columns, |x| x.into(), |x| x.into());
                for precision in [Precision::F32, Precision::Bf16] {
                    let context = Context::new(isa, threads, precision);
                    check::<Bf16>(&context, columns, |x| x.into(), |x| x.into());
                }
            }
        }
    }
}

#[test]
fn a_cache_without_room_is_refused_before_anything_is_written() {
    let context = Context::new(Isa::Portable, 1, Precision::F32);
    let columns = Columns {
        heads: 1,
        kv_heads: 1,
        head_dim: 2,
        theta: 1e4,
    };
    let (mut keys, mut values, mut qkv) = ([0.0f32; 4], [0.0f32; 4], [1.0; 12]);
    let sequence = Sequence {
        length: 2,
        before: 1,
        earlier: Earlier::Cache {
            keys: Shared::new(&mut keys),
            values: Shared::new(&mut values),
        },
    };
    let refused = catch_unwind(AssertUnwindSafe(|| {
        attend(&context, &mut qkv, &mut [0.0; 4], &[sequence], columns)
    }));
    assert!(refused.is_err());
    assert!(keys == [0.0; 4] && values == [0.0; 4] && qkv == [1.0; 12]);
}
