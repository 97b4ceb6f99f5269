//! What every kernel is told beside its input: instruction set, threads, precision, and scratch memory to work in.

use crate::arena::Block;
use crate::gemm::Inputs;
use crate::isa::Isa;
use crate::{pool, rope};
use std::cell::UnsafeCell;
use std::sync::{Arc, Mutex, OnceLock};

/// What matmul inputs are rounded to; sums and all else are f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    Bf16,
}

pub struct Context {
    pub isa: Isa,
    pub threads: usize,
    pub precision: Precision,
    /// Whether many rows that are multiplied with weights in blocks may be rounded to int8, as few are, where the
    /// precision is bf16.
    pub int8: bool,
    scratch: Vec<Scratch>,
    /// Angles of the last rotary calls: every layer of a step asks for the same.
    angles: Mutex<Vec<(rope::Shape, Arc<Vec<f32>>)>>,
    singles: OnceLock<Vec<Context>>,
}

/// What a scratch buffer is for; two purposes never share memory.
#[derive(Clone, Copy)]
pub enum Purpose {
    PackedB,
    PackedA,
    Rows,
    Sums,
    Matrix,
    HeadForward,
    HeadBackward,
    Inputs,
    Unpacked,
    Activations,
    Logits,
    Joined,
}

/// The buffers of one thread (the last one: of the call as a whole); they grow and stay.
#[derive(Default)]
struct Scratch {
    buffers: [UnsafeCell<Option<Block>>; 12],
}

// Each worker touches its own entry only, and a call of one Node thread is the only user of its context.
unsafe impl Sync for Context {}

impl Context {
    pub fn new(isa: Isa, threads: usize, precision: Precision) -> Self {
        let scratch = (0..=threads).map(|_| Scratch::default()).collect();
        Self {
            isa,
            threads,
            precision,
            int8: false,
            scratch,
            angles: Mutex::default(),
            singles: OnceLock::new(),
        }
    }

    /// Scratch of a worker of the pool, at least `length` long; its content is undefined.
    ///
    /// # Safety
    /// One user at a time for each worker and purpose, until the slice is dropped.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn scratch(&self, worker: usize, purpose: Purpose, length: usize) -> &mut [f32] {
        let cell = &mut *self.scratch[worker].buffers[purpose as usize].get();
        if cell.as_ref().is_none_or(|block| block.len() < length) {
            *cell = None;
            *cell = Some(Block::new(length.next_multiple_of(4096)));
        }
        let block = cell.as_ref().expect("set above");
        std::slice::from_raw_parts_mut(block.as_ptr(), length)
    }

    /// Scratch that all tasks of a call share.
    ///
    /// # Safety
    /// As `scratch`.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn shared_scratch(&self, purpose: Purpose, length: usize) -> &mut [f32] {
        self.scratch(self.threads, purpose, length)
    }

    /// For each worker a context of one thread, for tasks that are whole calculations; of full precision where products
    /// of bf16 would not be faster.
    pub fn singles(&self) -> &[Context] {
        let precision = match Inputs::of(self) {
            Inputs::Floats => Precision::F32,
            Inputs::Pairs | Inputs::Tiles => self.precision,
        };
        let single = |_| Context::new(self.isa, 1, precision);
        self.singles
            .get_or_init(|| (0..self.threads).map(single).collect())
    }

    /// `rope::angles` of this shape or of more positions, kept for the next call.
    pub fn angles(&self, shape: &rope::Shape) -> Arc<Vec<f32>> {
        // The number of rows and heads does not change the angles.
        let key = rope::Shape {
            batch: 0,
            heads: 0,
            ..*shape
        };
        let mut kept = self
            .angles
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        // Of a longer one the first positions: texts of many lengths take turns.
        let serves = |kept: &rope::Shape| {
            kept.time >= key.time
                && rope::Shape {
                    time: key.time,
                    ..*kept
                } == key
        };
        if let Some((_, angles)) = kept.iter().find(|(shape, _)| serves(shape)) {
            return angles.clone();
        }
        let angles = Arc::new(rope::angles(shape));
        if kept.len() == 4 {
            kept.remove(0);
        }
        kept.push((key, angles.clone()));
        angles
    }

    /// Runs `work(task, worker)` for every task on the threads of this context.
    pub fn run(&self, tasks: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        pool::run(self.threads, tasks, work);
    }

    /// As `run`, on the calling thread alone when the tasks, of `cost` multiply-adds each, are too small to share.
    pub fn run_sized(&self, tasks: usize, cost: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        const WORTH_A_FORK: usize = 131_072;
        let alone = tasks.saturating_mul(cost) < WORTH_A_FORK;
        pool::run(if alone { 1 } else { self.threads }, tasks, work);
    }

    /// Cuts `length` items of `cost` elements each into parts and runs `work(from, to)` on them; small work stays
    /// on the calling thread, where a fork would cost more than it saves.
    pub fn split(&self, length: usize, cost: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        const PART: usize = 16_384;
        let part = PART.div_ceil(cost.max(1));
        if self.threads == 1 || length <= 2 * part {
            return work(0, length);
        }
        let parts = length.div_ceil(part).min(self.threads * 8);
        self.run(parts, &|task, _| {
            work(task * length / parts, (task + 1) * length / parts)
        });
    }
}

/// An output that tasks write disjoint parts of.
#[derive(Clone, Copy)]
pub struct Shared<'a, E = f32> {
    pointer: *mut E,
    length: usize,
    _lives: std::marker::PhantomData<&'a mut [E]>,
}

unsafe impl<E> Sync for Shared<'_, E> {}
unsafe impl<E> Send for Shared<'_, E> {}

impl<'a, E> Shared<'a, E> {
    pub fn new(slice: &'a mut [E]) -> Self {
        Self {
            pointer: slice.as_mut_ptr(),
            length: slice.len(),
            _lives: std::marker::PhantomData,
        }
    }

    /// # Safety
    /// Parts that are in use at the same time must not overlap.
    pub unsafe fn part(&self, from: usize, to: usize) -> &'a mut [E] {
        assert!(from <= to && to <= self.length);
        std::slice::from_raw_parts_mut(self.pointer.add(from), to - from)
    }

    /// The rest from this element on, beside the whole.
    ///
    /// # Safety
    /// As `part`.
    pub unsafe fn rest(&self, at: usize) -> Self {
        assert!(at <= self.length);
        Self {
            pointer: self.pointer.add(at),
            length: self.length - at,
            ..*self
        }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn pointer(&self) -> *mut E {
        self.pointer
    }
}
