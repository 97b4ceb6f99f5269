//! SwiGLU on its own (Shazeer 2020); `gated.rs` has it joined with the product that follows.

use crate::context::{Context, Shared};
use crate::element::{Element, Floats, FloatsMut};
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// Where gate and up lie: rows of one width each, `stride` apart; two buffers of equal layout, or one with both.
#[derive(Clone, Copy)]
pub struct Gates {
    pub rows: usize,
    pub width: usize,
    pub stride: usize,
}

impl Gates {
    /// Two whole buffers.
    pub fn whole(length: usize) -> Self {
        Self {
            rows: 1,
            width: length,
            stride: length,
        }
    }

    /// Elements from the first to the last of either.
    fn held(&self) -> usize {
        match self.rows {
            0 => 0,
            rows => (rows - 1) * self.stride + self.width,
        }
    }

    /// Runs `part(at, at in the product, n)` on stretches of gates that lie together.
    fn split(&self, context: &Context, cost: usize, part: &(dyn Fn(usize, usize, usize) + Sync)) {
        let Gates {
            rows,
            width,
            stride,
        } = *self;
        context.split(rows * width, cost, &|from, to| {
            let mut at = from;
            while at < to {
                let (row, column) = (at / width, at % width);
                let n = (width - column).min(to - at);
                part(row * stride + column, at, n);
                at += n;
            }
        });
    }
}

/// y = silu(gate) up, y without gaps.
pub fn swiglu<E: Element>(context: &Context, gate: &[E], up: &[E], y: &mut [E], gates: Gates) {
    let held = gates.held();
    assert!(gate.len() >= held && up.len() >= held && y.len() == gates.rows * gates.width);
    let out = Shared::new(y);
    gates.split(context, 4, &|at, to, n| unsafe {
        let (gate, up) = (&gate[at..at + n], &up[at..at + n]);
        swiglu_part(context.isa, gate, up, out.part(to, to + n));
    });
}

/// y[rows, width] of gate and up side by side in x[rows, 2 * width]; both are stored alike.
pub fn swiglu_rows(context: &Context, x: Floats, y: FloatsMut, rows: usize, width: usize) {
    let gates = Gates {
        rows,
        width,
        stride: 2 * width,
    };
    match (x, y) {
        _ if rows * width == 0 => {}
        (Floats::F32(x), FloatsMut::F32(y)) => swiglu(context, x, &x[width..], y, gates),
        (Floats::Bf16(x), FloatsMut::Bf16(y)) => swiglu(context, x, &x[width..], y, gates),
        _ => panic!("input and output must be stored alike"),
    }
}

/// Where the gradients by gate and up go, laid out as they are, each where there is one; the flags say to add.
pub struct GateGradients<'a, E> {
    pub gate: Option<Shared<'a, E>>,
    pub up: Option<Shared<'a, E>>,
    pub adds: [bool; 2],
}

impl<'a, E> GateGradients<'a, E> {
    pub fn new(gate: Option<&'a mut [E]>, up: Option<&'a mut [E]>, adds: [bool; 2]) -> Self {
        Self {
            gate: gate.map(Shared::new),
            up: up.map(Shared::new),
            adds,
        }
    }
}

/// The gradients of `swiglu` from that of its product.
pub fn swiglu_gradient<E: Element>(
    context: &Context,
    gate: &[E],
    up: &[E],
    dy: &[E],
    out: GateGradients<E>,
    gates: Gates,
) {
    let held = gates.held();
    assert!(gate.len() >= held && up.len() >= held && dy.len() == gates.rows * gates.width);
    gates.split(context, 8, &|at, to, n| unsafe {
        let part = |out: &Option<Shared<E>>| match out {
            Some(out) => out.part(at, at + n).as_mut_ptr(),
            None => std::ptr::null_mut(),
        };
        let slopes = dy[to..to + n].as_ptr();
        let inputs = [gate[at..at + n].as_ptr(), up[at..at + n].as_ptr(), slopes];
        let outputs = [part(&out.gate), part(&out.up)];
        swiglu_gradient_part(context.isa, inputs, outputs, n, out.adds);
    });
}

kernels! {
    fn swiglu_part<E>(gate: &[E], up: &[E], y: &mut [E]) = swiglu_body;
    fn swiglu_gradient_part<E>(inputs: [*const E; 3], outputs: [*mut E; 2], n: usize, adds: [bool; 2]) = swiglu_gradient_body;
}

#[inline(always)]
unsafe fn swiglu_body<S: Simd, E: Element>(gate: &[E], up: &[E], y: &mut [E]) {
    vectors!(S, y.len(), |i, left| {
        let g = simd::get::<S>(gate.as_ptr().add(i), left);
        let u = simd::get::<S>(up.as_ptr().add(i), left);
        let silu = S::mul(g, simd::sigmoid_for::<S, E>(g));
        simd::put::<S>(y.as_mut_ptr().add(i), left, S::mul(silu, u));
    });
}

#[inline(always)]
unsafe fn swiglu_gradient_body<S: Simd, E: Element>(
    [gate, up, dy]: [*const E; 3],
    [dgate, dup]: [*mut E; 2],
    n: usize,
    adds: [bool; 2],
) {
    vectors!(S, n, |i, left| {
        let g = simd::get::<S>(gate.add(i), left);
        let u = simd::get::<S>(up.add(i), left);
        let d = simd::get::<S>(dy.add(i), left);
        let s = simd::sigmoid_for::<S, E>(g);
        let silu = S::mul(g, s);
        if !dup.is_null() {
            simd::put_or_add::<S>(dup.add(i), left, S::mul(d, silu), adds[1]);
        }
        if !dgate.is_null() {
            let slope = S::mul(S::mul(d, u), silu_slope::<S>(g, s));
            simd::put_or_add::<S>(dgate.add(i), left, slope, adds[0]);
        }
    });
}

/// s (1 + x (1 - s)) with s = sigmoid(x)
#[inline(always)]
pub unsafe fn silu_slope<S: Simd>(x: S::V, s: S::V) -> S::V {
    S::mul(s, S::fma(x, S::sub(S::splat(1.0), s), S::splat(1.0)))
}
