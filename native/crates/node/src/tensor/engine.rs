//! The tensors of a Node thread: a table of buffers, what they hold, and the context that kernels run in.

use super::quantised;
use napi::{Error, Result, Status};
use smolforge_tensor::arena::{Arena, Block, Piece};
use smolforge_tensor::element::{Bf16, Floats, FloatsMut};
use smolforge_tensor::{Context, Isa, Precision};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::Instant;

pub struct Engine {
    pub context: Context,
    pub reason: String,
    pub slots: Vec<Slot>,
    pub vacant: Vec<u32>,
    pub arena: Arena,
    pub scopes: Vec<Scope>,
    pub persistent_bytes: usize,
    pub profile: HashMap<&'static str, (u32, u64)>,
}

/// An open scope: the handles made in it, and what `Context::int8` was before.
pub struct Scope {
    pub handles: Vec<u32>,
    pub int8_before: bool,
}

pub enum Slot {
    Vacant,
    /// In the arena: until its step is over, or until it is released.
    Step {
        piece: Piece,
        length: usize,
        dtype: DType,
    },
    Persistent {
        block: Block,
        length: usize,
        dtype: DType,
    },
    /// A weight in blocks, for inference.
    Quantised(quantised::Weight),
}

/// What the elements of a buffer are; the numbers are those of the binding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DType {
    F32,
    I32,
    Bf16,
}

impl DType {
    pub fn of(code: u32) -> Result<Self> {
        let all = [DType::F32, DType::I32, DType::Bf16];
        all.get(code as usize)
            .copied()
            .ok_or_else(|| Error::from_reason(format!("there is no type {code}")))
    }

    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::I32 => "i32",
            DType::Bf16 => "bf16",
        }
    }

    /// How many f32 take as much memory as `length` elements.
    pub fn words(self, length: usize) -> usize {
        match self {
            DType::F32 | DType::I32 => length,
            DType::Bf16 => length.div_ceil(2),
        }
    }
}

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

pub fn chosen() -> &'static (Isa, String) {
    static CHOSEN: OnceLock<(Isa, String)> = OnceLock::new();
    CHOSEN.get_or_init(Isa::choose)
}

pub fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

impl Engine {
    fn new() -> Self {
        let (isa, reason) = chosen();
        Self {
            context: Context::new(*isa, all_threads(), Precision::F32),
            reason: reason.clone(),
            slots: Vec::new(),
            vacant: Vec::new(),
            arena: Arena::default(),
            scopes: Vec::new(),
            persistent_bytes: 0,
            profile: HashMap::new(),
        }
    }

    pub fn slot(&self, handle: i32) -> Result<&Slot> {
        match usize::try_from(handle)
            .ok()
            .and_then(|at| self.slots.get(at))
        {
            Some(Slot::Vacant) | None => {
                Err(Error::from_reason(format!("there is no tensor {handle}")))
            }
            Some(slot) => Ok(slot),
        }
    }

    /// Where a buffer lies, how many elements it has, and of what.
    pub fn place(&self, handle: i32) -> Result<(*mut f32, usize, DType)> {
        Ok(match self.slot(handle)? {
            Slot::Step {
                piece,
                length,
                dtype,
            } => (self.arena.pointer(*piece), *length, *dtype),
            Slot::Persistent {
                block,
                length,
                dtype,
            } => (block.as_ptr(), *length, *dtype),
            Slot::Quantised(_) => {
                return Err(Error::from_reason(
                    "a quantised weight where numbers are needed: it serves inference alone",
                ));
            }
            Slot::Vacant => unreachable!("slot refuses them"),
        })
    }

    pub fn memory(&self, handle: i32, length: usize, dtype: DType) -> Result<*mut f32> {
        let (pointer, held, has) = self.place(handle)?;
        if has != dtype {
            let (has, needs) = (has.name(), dtype.name());
            return Err(Error::from_reason(format!(
                "a tensor of {has} where {needs} is needed"
            )));
        }
        check_length(held, length)?;
        Ok(pointer)
    }

    // The slices outlive the borrow of the engine: no call that uses them changes the table.
    pub fn input<'a>(&self, handle: i32, length: usize) -> Result<&'a [f32]> {
        let pointer = self.memory(handle, length, DType::F32)?;
        Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
    }

    pub fn ints<'a>(&self, handle: i32, length: usize) -> Result<&'a [i32]> {
        let pointer = self.memory(handle, length, DType::I32)?;
        Ok(unsafe { std::slice::from_raw_parts(pointer as *const i32, length) })
    }

    /// An input of f32 or bf16.
    pub fn floats<'a>(&self, handle: i32, length: usize) -> Result<Floats<'a>> {
        let (pointer, held, dtype) = self.place(handle)?;
        check_length(held, length)?;
        unsafe {
            match dtype {
                DType::F32 => Ok(Floats::F32(std::slice::from_raw_parts(pointer, length))),
                DType::Bf16 => Ok(Floats::Bf16(std::slice::from_raw_parts(
                    pointer as *const Bf16,
                    length,
                ))),
                DType::I32 => Err(Error::from_reason(
                    "a tensor of i32 where f32 or bf16 is needed",
                )),
            }
        }
    }

    /// An output; it must be none of the `others`, which the same call reads or writes.
    pub fn output<'a>(&self, handle: i32, length: usize, others: &[i32]) -> Result<&'a mut [f32]> {
        if others.contains(&handle) {
            return Err(Error::from_reason("an output must not be an input"));
        }
        let pointer = self.memory(handle, length, DType::F32)?;
        Ok(unsafe { std::slice::from_raw_parts_mut(pointer, length) })
    }

    /// An output of f32 or bf16.
    pub fn floats_output<'a>(
        &self,
        handle: i32,
        length: usize,
        others: &[i32],
    ) -> Result<FloatsMut<'a>> {
        if others.contains(&handle) {
            return Err(Error::from_reason("an output must not be an input"));
        }
        let (pointer, held, dtype) = self.place(handle)?;
        check_length(held, length)?;
        unsafe {
            match dtype {
                DType::F32 => Ok(FloatsMut::F32(std::slice::from_raw_parts_mut(
                    pointer, length,
                ))),
                DType::Bf16 => Ok(FloatsMut::Bf16(std::slice::from_raw_parts_mut(
                    pointer as *mut Bf16,
                    length,
                ))),
                DType::I32 => Err(Error::from_reason(
                    "a tensor of i32 where f32 or bf16 is needed",
                )),
            }
        }
    }

    pub fn dtype(&self, handle: i32) -> Result<DType> {
        Ok(self.place(handle)?.2)
    }

    pub fn optional<'a>(
        &self,
        handle: i32,
        length: usize,
        others: &[i32],
    ) -> Result<Option<&'a mut [f32]>> {
        if handle < 0 {
            Ok(None)
        } else {
            self.output(handle, length, others).map(Some)
        }
    }

    pub fn optional_bf16<'a>(
        &self,
        handle: i32,
        length: usize,
        others: &[i32],
    ) -> Result<Option<&'a mut [Bf16]>> {
        if handle < 0 {
            return Ok(None);
        }
        match self.floats_output(handle, length, others)? {
            FloatsMut::Bf16(out) => Ok(Some(out)),
            FloatsMut::F32(_) => Err(Error::from_reason("a tensor of f32 where bf16 is needed")),
        }
    }

    pub fn length(&self, handle: i32) -> Result<usize> {
        Ok(self.place(handle)?.1)
    }

    /// A handle for what is new.
    pub fn take(&mut self, slot: Slot) -> u32 {
        match self.vacant.pop() {
            Some(handle) => {
                self.slots[handle as usize] = slot;
                handle
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        }
    }

    /// Runs `body` with so many words of the arena, whose content is undefined.
    pub fn with_temporary<T>(
        &mut self,
        words: usize,
        body: impl FnOnce(&Engine, &mut [f32]) -> Result<T>,
    ) -> Result<T> {
        let piece = self.arena.allocate(words);
        let pointer = self.arena.pointer(piece);
        // Nobody else has the piece before it is released.
        let result = body(self, unsafe {
            std::slice::from_raw_parts_mut(pointer, words)
        });
        self.arena.release(piece);
        if self.scopes.is_empty() {
            self.arena.settle();
        }
        result
    }

    pub fn release(&mut self, handle: i32) -> Result<()> {
        self.slot(handle)?;
        match std::mem::replace(&mut self.slots[handle as usize], Slot::Vacant) {
            Slot::Step { piece, .. } => self.arena.release(piece),
            Slot::Persistent { block, .. } => self.persistent_bytes -= block.bytes(),
            Slot::Quantised(weight) => self.persistent_bytes -= weight.held_bytes(),
            Slot::Vacant => {}
        }
        self.vacant.push(handle as u32);
        Ok(())
    }
}

fn check_length(held: usize, needed: usize) -> Result<()> {
    if held < needed {
        return Err(Error::from_reason(format!(
            "a tensor of {held} elements where {needed} are needed"
        )));
    }
    Ok(())
}

/// Runs a call on this thread's engine, timed under its name; a panic becomes an error.
pub fn call<T>(name: &'static str, body: impl FnOnce(&mut Engine) -> Result<T>) -> Result<T> {
    ENGINE.with(|engine| {
        let mut engine = engine
            .try_borrow_mut()
            .map_err(|_| Error::from_reason("the engine is busy"))?;
        let engine = engine.get_or_insert_with(Engine::new);
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| body(engine)))
            .unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
            .map_err(|error| Error::new(error.status, format!("{name}: {}", error.reason)));
        let entry = engine.profile.entry(name).or_default();
        entry.0 += 1;
        entry.1 += start.elapsed().as_nanos() as u64;
        result
    })
}

/// A defect of a kernel or of what calls it, with what the assertion said; `Status::Unknown` tells it from a mistake.
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word");
    Error::new(Status::Unknown, format!("a kernel panicked: {said}"))
}

/// The product of sizes, refused where it overflows.
pub fn size(factors: &[u32]) -> Result<usize> {
    let product = factors
        .iter()
        .try_fold(1usize, |total, &factor| total.checked_mul(factor as usize));
    product.ok_or_else(|| Error::from_reason("sizes are too large"))
}

pub fn one_type(what: &str) -> Error {
    Error::from_reason(format!("{what} must be stored alike, all f32 or all bf16"))
}
