//! The loops of packing: parts of a matrix copied into the order in which a product reads them.

use crate::element::{Bf16, Element};
use crate::simd::{self, Pairs, Simd};
use crate::{kernels, pair_kernels};

/// What part of a matrix is packed.
#[derive(Clone, Copy)]
pub struct Source {
    pub row_stride: usize,
    pub column_stride: usize,
    pub rows: usize,
    pub columns: usize,
    /// Round f32 to bf16 on the way.
    pub round: bool,
}

impl Source {
    /// Its columns, so many at a time: where each part begins in memory, and it.
    pub fn panels(self, width: usize) -> impl Iterator<Item = (usize, Self)> {
        (0..self.columns).step_by(width).map(move |first| {
            let columns = width.min(self.columns - first);
            (first * self.column_stride, Self { columns, ..self })
        })
    }
}

/// Gate and up in rows: up lies `up` elements after its gate.
#[derive(Clone, Copy)]
pub struct Gates {
    pub up: usize,
    pub stride: usize,
    pub rows: usize,
    pub columns: usize,
    /// Round to bf16 on the way.
    pub round: bool,
}

kernels! {
    /// silu(gate) up, zeros after the columns up to `depth`.
    pub fn gated_rows<E, Out>(from: *const E, gates: Gates, to: *mut Out, to_stride: usize, depth: usize) = gated_rows_body;
    /// Packs columns of a matrix into one panel of f32, zeros after them.
    pub fn pack_panel<E>(from: *const E, source: Source, to: &mut [f32]) = pack_panel_body;
    /// Packs rows whose columns are contiguous into groups of TILE_ROWS: `[group][k][TILE_ROWS]`.
    pub fn pack_rows<E>(from: *const E, stride: usize, rows: usize, k: usize, to: &mut [f32], round: bool) = pack_rows_body;
    /// Rows of f32, `to_stride` apart.
    pub fn copy_rows<E>(from: *const E, stride: usize, rows: usize, k: usize, to: &mut [f32], to_stride: usize, round: bool) = copy_rows_body;
    /// Rows of bf16 with zeros up to `depth`, `to_stride` apart.
    pub fn copy_bf16<E>(from: *const E, stride: usize, rows: usize, k: usize, to: *mut Bf16, to_stride: usize, depth: usize) = copy_bf16_body;
}

pair_kernels! {
    /// Packs columns of a matrix into one panel of pairs, zeros after them to the right and below.
    pub fn pack_pairs<E>(from: *const E, source: Source, to: &mut [f32]) = pack_pairs_body;
    /// As `copy_bf16` for the transpose: row i, element p of the result is from[p * stride + i].
    pub fn turn_bf16<E>(from: *const E, stride: usize, rows: usize, k: usize, to: *mut Bf16, to_stride: usize, depth: usize) = turn_bf16_body;
}

#[inline(always)]
unsafe fn gated_rows_body<S: Simd, E: Element, Out: Element>(
    from: *const E,
    gates: Gates,
    to: *mut Out,
    to_stride: usize,
    depth: usize,
) {
    let n = gates.columns;
    for row in 0..gates.rows {
        let line = from.add(row * gates.stride);
        let out = to.add(row * to_stride);
        crate::vectors!(S, n, |i, left| {
            let gate = simd::get::<S>(line.add(i), left);
            let up = simd::get::<S>(line.add(gates.up + i), left);
            let v = S::mul(S::mul(gate, simd::sigmoid_for::<S, Out>(gate)), up);
            simd::put::<S>(out.add(i), left, rounded::<S>(v, gates.round));
        });
        for i in n..depth {
            *out.add(i) = Out::of(0.0);
        }
    }
}

#[inline(always)]
unsafe fn rounded<S: Simd>(v: S::V, round: bool) -> S::V {
    if round { S::bf16(v) } else { v }
}

/// A block of LANES x LANES, turned: `to` gets column after column.
#[inline(always)]
unsafe fn turn_block<S: Simd, E: Element>(
    from: *const E,
    stride: usize,
    to: *mut f32,
    to_stride: usize,
    round: bool,
) {
    let mut block = [[0.0f32; 16]; 16];
    for i in 0..S::LANES {
        let line = rounded::<S>(E::get::<S>(from.add(i * stride), S::LANES), round);
        S::store(block[i].as_mut_ptr(), line);
    }
    S::transpose(block[0].as_ptr(), 16, to, to_stride);
}

#[inline(always)]
unsafe fn pack_panel_body<S: Simd, E: Element>(from: *const E, source: Source, to: &mut [f32]) {
    let Source {
        row_stride,
        column_stride,
        rows: k,
        columns: width,
        round,
    } = source;
    let columns = 2 * S::LANES;
    let to = to.as_mut_ptr();
    if width == columns && column_stride == 1 {
        for p in 0..k {
            for half in [0, S::LANES] {
                let v = E::get::<S>(from.add(p * row_stride + half), S::LANES);
                S::store(to.add(p * columns + half), rounded::<S>(v, round));
            }
        }
        return;
    }
    let mut done = 0;
    if width == columns && row_stride == 1 {
        while done + S::LANES <= k {
            for half in [0, S::LANES] {
                let block = from.add(half * column_stride + done);
                turn_block::<S, E>(
                    block,
                    column_stride,
                    to.add(done * columns + half),
                    columns,
                    round,
                );
            }
            done += S::LANES;
        }
    }
    for p in done..k {
        for j in 0..columns {
            let value = if j < width {
                (*from.add(p * row_stride + j * column_stride)).value()
            } else {
                0.0
            };
            *to.add(p * columns + j) = if round {
                Bf16::new(value).value()
            } else {
                value
            };
        }
    }
}

#[inline(always)]
unsafe fn pack_rows_body<S: Simd, E: Element>(
    from: *const E,
    stride: usize,
    rows: usize,
    k: usize,
    to: &mut [f32],
    round: bool,
) {
    let group = S::TILE_ROWS;
    let to = to.as_mut_ptr();
    // Groups that are written side by side, few enough for the first cache; and rows that are asked for before.
    const GROUPS: usize = 8;
    const AHEAD: usize = 12;
    for first in (0..rows).step_by(GROUPS * group) {
        let n = (GROUPS * group).min(rows - first);
        for p in 0..k {
            let line = from.add(p * stride + first);
            for i in (0..n).step_by(64 / std::mem::size_of::<E>()) {
                S::fetch(line.wrapping_add(AHEAD * stride + i) as *const u8);
            }
            for i in (0..n).step_by(group) {
                let out = to.add((first + i) * k + p * group);
                // What whole vectors store beyond the group is overwritten by its next.
                let whole = p + 1 < k && i + group <= n;
                let width = group.min(n - i);
                for part in (0..group).step_by(S::LANES) {
                    if whole {
                        let v = E::get::<S>(line.add(i + part), S::LANES);
                        S::store(out.add(part), rounded::<S>(v, round));
                    } else if part < width {
                        let left = S::LANES.min(width - part);
                        let v = simd::get::<S>(line.add(i + part), left);
                        simd::put::<S>(out.add(part), left, rounded::<S>(v, round));
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn copy_rows_body<S: Simd, E: Element>(
    from: *const E,
    stride: usize,
    rows: usize,
    k: usize,
    to: &mut [f32],
    to_stride: usize,
    round: bool,
) {
    for row in 0..rows {
        let (line, out) = (from.add(row * stride), to.as_mut_ptr().add(row * to_stride));
        crate::vectors!(S, k, |p, left| {
            let v = E::get::<S>(line.add(p), left);
            simd::put::<S>(out.add(p), left, rounded::<S>(v, round));
        });
    }
}

#[inline(always)]
unsafe fn copy_bf16_body<S: Simd, E: Element>(
    from: *const E,
    stride: usize,
    rows: usize,
    k: usize,
    to: *mut Bf16,
    to_stride: usize,
    depth: usize,
) {
    for row in 0..rows {
        let (line, out) = (from.add(row * stride), to.add(row * to_stride));
        crate::vectors!(S, k, |p, left| {
            simd::put::<S>(out.add(p), left, E::get::<S>(line.add(p), left));
        });
        for p in k..depth {
            *out.add(p) = Bf16(0);
        }
    }
}

#[inline(always)]
unsafe fn pack_pairs_body<S: Pairs, E: Element>(from: *const E, source: Source, to: &mut [f32]) {
    let Source {
        row_stride,
        column_stride,
        rows: k,
        columns: width,
        ..
    } = source;
    let columns = 2 * S::LANES;
    let pairs = to.len() / columns;
    let to = to.as_mut_ptr();
    let mut done = 0;
    if column_stride == 1 {
        while done < k / 2 {
            let line = from.add(2 * done * row_stride);
            for half in [0, S::LANES] {
                let n = width.saturating_sub(half).min(S::LANES);
                let v = if n == S::LANES {
                    E::pair::<S>(line.add(half), line.add(half + row_stride))
                } else if n == 0 {
                    S::splat(0.0)
                } else {
                    let low = E::get::<S>(line.add(half), n);
                    S::pair(low, E::get::<S>(line.add(half + row_stride), n))
                };
                S::store(to.add(done * columns + half), v);
            }
            done += 1;
        }
    } else if row_stride == 1 && width == columns {
        let mut block = [[0.0f32; 16]; 16];
        while 2 * (done + S::LANES) <= k {
            for half in [0, S::LANES] {
                for j in 0..S::LANES {
                    let line = from.add((half + j) * column_stride + 2 * done);
                    S::store(block[j].as_mut_ptr(), E::join::<S>(line));
                }
                S::transpose(
                    block[0].as_ptr(),
                    16,
                    to.add(done * columns + half),
                    columns,
                );
            }
            done += S::LANES;
        }
    }
    let at = |p: usize, j: usize| {
        if p < k && j < width {
            Bf16::new((*from.add(p * row_stride + j * column_stride)).value())
        } else {
            Bf16(0)
        }
    };
    for q in done..pairs {
        for j in 0..columns {
            let out = to.add(q * columns + j) as *mut [Bf16; 2];
            *out = [at(2 * q, j), at(2 * q + 1, j)];
        }
    }
}

#[inline(always)]
unsafe fn turn_bf16_body<S: Pairs, E: Element>(
    from: *const E,
    stride: usize,
    rows: usize,
    k: usize,
    to: *mut Bf16,
    to_stride: usize,
    depth: usize,
) {
    let mut block = [[0.0f32; 16]; 16];
    let whole = rows / S::LANES * S::LANES;
    let mut done = 0;
    while done + 2 * S::LANES <= k {
        for i in (0..whole).step_by(S::LANES) {
            for q in 0..S::LANES {
                let line = from.add((done + 2 * q) * stride + i);
                let pairs = E::pair::<S>(line, line.add(stride));
                S::store(block[q].as_mut_ptr(), pairs);
            }
            let out = to.add(i * to_stride + done) as *mut f32;
            S::transpose(block[0].as_ptr(), 16, out, to_stride / 2);
        }
        for i in whole..rows {
            for p in done..done + 2 * S::LANES {
                *to.add(i * to_stride + p) = Bf16::new((*from.add(p * stride + i)).value());
            }
        }
        done += 2 * S::LANES;
    }
    for i in 0..rows {
        for p in done..depth {
            *to.add(i * to_stride + p) = if p < k {
                Bf16::new((*from.add(p * stride + i)).value())
            } else {
                Bf16(0)
            };
        }
    }
}
