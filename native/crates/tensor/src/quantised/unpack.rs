//! Weights in blocks back as f32 or bf16.

use super::Blocks;
use super::Format;
use super::groups::{GROUP, Sink, every_format, walk};
use super::lanes::{Lanes, lanes_kernels};
use crate::context::{Context, Shared};
use crate::element::{Bf16, Element};

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

lanes_kernels! {
    fn unpack_f32(blocks: Blocks, out: &mut [f32]) = unpack_f32_body;
    fn unpack_bf16(blocks: Blocks, out: &mut [Bf16]) = unpack_bf16_body;
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
    unsafe fn group<const SIGNED: bool, const PART: usize>(&mut self, q: L::Q, scale: L::P) {
        write::<L, SIGNED>(self.to, q, [scale; 2]);
        self.to = self.to.add(GROUP);
    }
    #[inline(always)]
    unsafe fn halves(&mut self, q: L::Q, scales: [L::P; 2]) {
        write::<L, false>(self.to, q, scales);
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

#[inline(always)]
unsafe fn write<L: Lanes, const SIGNED: bool>(to: *mut f32, q: L::Q, scales: [L::P; 2]) {
    for i in 0..4 {
        let scale = scales[i / 2];
        let (s, m) = (L::splat(L::first(scale)), L::splat(L::second(scale)));
        L::store(to.add(8 * i), L::fma(L::floats::<SIGNED>(q, i), s, m));
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
    unsafe fn group<const SIGNED: bool, const PART: usize>(&mut self, q: L::Q, scale: L::P) {
        write::<L, SIGNED>(self.group.as_mut_ptr(), q, [scale; 2]);
        self.put();
    }
    #[inline(always)]
    unsafe fn halves(&mut self, q: L::Q, scales: [L::P; 2]) {
        write::<L, false>(self.group.as_mut_ptr(), q, scales);
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
