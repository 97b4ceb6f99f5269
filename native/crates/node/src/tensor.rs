//! Binding of the `tensor` kernels: a table of buffers for each Node thread, and checks of every size before a kernel
//! sees it.

mod layers;
mod linears;
mod operations;
mod optimizers;
mod quantised;

use napi::bindgen_prelude::{Float32Array, Int32Array};
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::arena::{Arena, Block, Piece};
use smolforge_tensor::element::{Bf16, Floats, FloatsMut};
use smolforge_tensor::{Context, Isa, Precision, elementwise, isa};
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::Instant;

struct Engine {
    context: Context,
    reason: String,
    slots: Vec<Slot>,
    vacant: Vec<u32>,
    arena: Arena,
    /// Handles made in each open scope.
    scopes: Vec<Vec<u32>>,
    persistent_bytes: usize,
    profile: HashMap<&'static str, (u32, u64)>,
}

enum Slot {
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
enum DType {
    F32,
    I32,
    Bf16,
}

impl DType {
    fn of(code: u32) -> Result<Self> {
        let all = [DType::F32, DType::I32, DType::Bf16];
        all.get(code as usize)
            .copied()
            .ok_or_else(|| Error::from_reason(format!("there is no type {code}")))
    }

    fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::I32 => "i32",
            DType::Bf16 => "bf16",
        }
    }

    /// How many f32 take as much memory as `length` elements.
    fn words(self, length: usize) -> usize {
        match self {
            DType::F32 | DType::I32 => length,
            DType::Bf16 => length.div_ceil(2),
        }
    }
}

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

fn chosen() -> &'static (Isa, String) {
    static CHOSEN: OnceLock<(Isa, String)> = OnceLock::new();
    CHOSEN.get_or_init(Isa::choose)
}

fn all_threads() -> usize {
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

    fn slot(&self, handle: i32) -> Result<&Slot> {
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
    fn place(&self, handle: i32) -> Result<(*mut f32, usize, DType)> {
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

    fn memory(&self, handle: i32, length: usize, dtype: DType) -> Result<*mut f32> {
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
    fn input<'a>(&self, handle: i32, length: usize) -> Result<&'a [f32]> {
        let pointer = self.memory(handle, length, DType::F32)?;
        Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
    }

    fn ints<'a>(&self, handle: i32, length: usize) -> Result<&'a [i32]> {
        let pointer = self.memory(handle, length, DType::I32)?;
        Ok(unsafe { std::slice::from_raw_parts(pointer as *const i32, length) })
    }

    /// An input of f32 or bf16.
    fn floats<'a>(&self, handle: i32, length: usize) -> Result<Floats<'a>> {
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
    fn output<'a>(&self, handle: i32, length: usize, others: &[i32]) -> Result<&'a mut [f32]> {
        if others.contains(&handle) {
            return Err(Error::from_reason("an output must not be an input"));
        }
        let pointer = self.memory(handle, length, DType::F32)?;
        Ok(unsafe { std::slice::from_raw_parts_mut(pointer, length) })
    }

    /// An output of f32 or bf16.
    fn floats_output<'a>(
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

    fn dtype(&self, handle: i32) -> Result<DType> {
        Ok(self.place(handle)?.2)
    }

    fn optional<'a>(
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

    fn optional_bf16<'a>(
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

    /// A handle for what is new.
    fn take(&mut self, slot: Slot) -> u32 {
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

    fn release(&mut self, handle: i32) -> Result<()> {
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
fn call<T>(name: &'static str, body: impl FnOnce(&mut Engine) -> Result<T>) -> Result<T> {
    ENGINE.with(|engine| {
        let mut engine = engine
            .try_borrow_mut()
            .map_err(|_| Error::from_reason("the engine is busy"))?;
        let engine = engine.get_or_insert_with(Engine::new);
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| body(engine)))
            .unwrap_or_else(|_| Err(Error::from_reason("a kernel panicked")))
            .map_err(|error| Error::from_reason(format!("{name}: {}", error.reason)));
        let entry = engine.profile.entry(name).or_default();
        entry.0 += 1;
        entry.1 += start.elapsed().as_nanos() as u64;
        result
    })
}

/// The product of sizes, refused where it overflows.
fn size(factors: &[u32]) -> Result<usize> {
    let product = factors
        .iter()
        .try_fold(1usize, |total, &factor| total.checked_mul(factor as usize));
    product.ok_or_else(|| Error::from_reason("sizes are too large"))
}

#[napi(object)]
pub struct TensorInfo {
    pub isa: String,
    pub threads: u32,
    pub precision: String,
    pub cpu: String,
    pub isa_reason: String,
}

fn info(engine: &Engine) -> TensorInfo {
    let bf16 = engine.context.precision == Precision::Bf16;
    TensorInfo {
        isa: engine.context.isa.name().into(),
        threads: engine.context.threads as u32,
        precision: if bf16 { "bf16" } else { "f32" }.into(),
        cpu: isa::cpu_name(),
        isa_reason: engine.reason.clone(),
    }
}

#[napi]
pub fn tensor_configure(
    threads: Option<u32>,
    precision: Option<String>,
    isa: Option<String>,
) -> Result<TensorInfo> {
    call("configure", |engine| {
        let mut chosen = engine.context.isa;
        let mut reason = engine.reason.clone();
        if let Some(name) = isa {
            chosen = Isa::parse(&name).map_err(Error::from_reason)?;
            if !chosen.available() {
                return Err(Error::from_reason(format!("this CPU cannot run '{name}'")));
            }
            isa::self_check(chosen).map_err(|difference| {
                Error::from_reason(format!("'{name}' failed its self-check: {difference}"))
            })?;
            reason = String::from("asked for");
        }
        let precision = match precision.as_deref() {
            None => engine.context.precision,
            Some("f32") => Precision::F32,
            Some("bf16") => Precision::Bf16,
            Some(other) => {
                return Err(Error::from_reason(format!(
                    "unknown precision '{other}': choose f32 or bf16"
                )));
            }
        };
        let threads = match threads {
            None => engine.context.threads,
            Some(count @ 1..=1024) => count as usize,
            Some(count) => {
                return Err(Error::from_reason(format!(
                    "{count} threads: choose from 1 to 1024"
                )));
            }
        };
        engine.reason = reason;
        engine.context = Context::new(chosen, threads, precision);
        Ok(info(engine))
    })
}

#[napi]
pub fn tensor_info() -> Result<TensorInfo> {
    call("info", |engine| Ok(info(engine)))
}

/// GFLOP/s of multiply-adds on registers alone: the limit that benchmarks compare to.
#[napi]
pub fn tensor_peak() -> Result<f64> {
    call("peak", |engine| Ok(isa::measure_peak(&engine.context)))
}

#[napi(object)]
pub struct TensorProfileEntry {
    pub operation: String,
    pub calls: u32,
    pub milliseconds: f64,
}

#[napi]
pub fn tensor_profile(reset: bool) -> Result<Vec<TensorProfileEntry>> {
    call("profile", |engine| {
        let entries =
            engine
                .profile
                .iter()
                .map(|(&name, &(calls, nanoseconds))| TensorProfileEntry {
                    operation: name.into(),
                    calls,
                    milliseconds: nanoseconds as f64 / 1e6,
                });
        let entries = entries.collect();
        if reset {
            engine.profile.clear();
        }
        Ok(entries)
    })
}

#[napi]
pub fn tensor_allocate(length: u32, dtype: u32, lifetime: u32) -> Result<i32> {
    // The numbers are those of the binding: 0 for the step, 1 in the arena until it is released, 2 a block of its own.
    let (kept, own) = (lifetime == 1, lifetime == 2);
    call("allocate", |engine| {
        let (length, dtype) = (length as usize, DType::of(dtype)?);
        let words = dtype.words(length);
        let slot = if own || (!kept && engine.scopes.is_empty()) {
            let block = Block::new(words);
            engine.persistent_bytes += block.bytes();
            Slot::Persistent {
                block,
                length,
                dtype,
            }
        } else {
            Slot::Step {
                piece: engine.arena.allocate(words),
                length,
                dtype,
            }
        };
        let in_step = matches!(slot, Slot::Step { .. });
        let handle = engine.take(slot);
        if in_step
            && !kept
            && let Some(scope) = engine.scopes.last_mut()
        {
            scope.push(handle);
        }
        Ok(handle as i32)
    })
}

#[napi]
pub fn tensor_release(handle: i32) -> Result<()> {
    call("release", |engine| {
        if let Slot::Step { .. } = engine.slot(handle)? {
            // The most recent ones go first: look from the end.
            for scope in engine.scopes.iter_mut().rev() {
                if let Some(at) = scope.iter().rposition(|&held| held as i32 == handle) {
                    scope.swap_remove(at);
                    break;
                }
            }
        }
        engine.release(handle)?;
        if engine.scopes.is_empty() {
            engine.arena.settle();
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_open_scope() -> Result<()> {
    call("scope", |engine| {
        engine.scopes.push(Vec::new());
        Ok(())
    })
}

#[napi]
pub fn tensor_close_scope() -> Result<()> {
    call("scope", |engine| {
        for handle in engine.scopes.pop().unwrap_or_default() {
            engine.release(handle as i32)?;
        }
        engine.arena.settle();
        Ok(())
    })
}

#[napi(object)]
pub struct TensorMemory {
    pub arena_bytes: f64,
    pub arena_peak_bytes: f64,
    pub persistent_bytes: f64,
    pub buffers: u32,
}

#[napi]
pub fn tensor_memory() -> Result<TensorMemory> {
    call("memory", |engine| {
        Ok(TensorMemory {
            arena_bytes: engine.arena.bytes() as f64,
            arena_peak_bytes: engine.arena.peak_bytes() as f64,
            persistent_bytes: engine.persistent_bytes as f64,
            buffers: (engine.slots.len() - engine.vacant.len()) as u32,
        })
    })
}

/// f32 or bf16, as f32.
#[napi]
pub fn tensor_read_floats(handle: i32, mut into: Float32Array) -> Result<()> {
    call("read", |engine| {
        let out = unsafe { into.as_mut() };
        if engine.read_blocks(handle, out)? {
            return Ok(());
        }
        match engine.floats(handle, out.len())? {
            Floats::F32(values) => out.copy_from_slice(values),
            Floats::Bf16(values) => elementwise::widen(&engine.context, values, out),
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_read_ints(handle: i32, mut into: Int32Array) -> Result<()> {
    call("read", |engine| {
        let values = engine.ints(handle, into.len())?;
        unsafe { into.as_mut() }.copy_from_slice(values);
        Ok(())
    })
}

#[napi]
pub fn tensor_write_floats(handle: i32, data: Float32Array) -> Result<()> {
    call("write", |engine| {
        match engine.floats_output(handle, data.len(), &[])? {
            FloatsMut::F32(out) => out.copy_from_slice(&data),
            FloatsMut::Bf16(out) => elementwise::narrow(&engine.context, &data, out),
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_write_ints(handle: i32, data: Int32Array) -> Result<()> {
    call("write", |engine| {
        let pointer = engine.memory(handle, data.len(), DType::I32)? as *mut i32;
        unsafe { std::slice::from_raw_parts_mut(pointer, data.len()) }.copy_from_slice(&data);
        Ok(())
    })
}

#[napi]
pub fn tensor_fill(handle: i32, length: u32, value: f64) -> Result<()> {
    call("fill", |engine| {
        engine
            .output(handle, length as usize, &[])?
            .fill(value as f32);
        Ok(())
    })
}

#[napi]
pub fn tensor_copy(
    from: i32,
    from_at: u32,
    to: i32,
    to_at: u32,
    length: u32,
    add: bool,
) -> Result<()> {
    call("copy", |engine| {
        let (from_at, to_at, n) = (from_at as usize, to_at as usize, length as usize);
        let dtype = engine.dtype(from)?;
        // What is not added is copied as its bits.
        if from == to || (dtype != DType::F32 && add) {
            return Err(Error::from_reason(
                "an output must not be an input, and only f32 can be added",
            ));
        }
        let source = engine.memory(from, from_at + n, dtype)?;
        let target = engine.memory(to, to_at + n, dtype)?;
        if dtype == DType::F32 {
            let source = unsafe { std::slice::from_raw_parts(source.add(from_at), n) };
            let target = unsafe { std::slice::from_raw_parts_mut(target.add(to_at), n) };
            elementwise::scale(&engine.context, source, 1.0, target, add);
            return Ok(());
        }
        let width = if dtype == DType::Bf16 { 2 } else { 4 };
        unsafe {
            let source = (source as *const u8).add(from_at * width);
            let target = (target as *mut u8).add(to_at * width);
            std::ptr::copy_nonoverlapping(source, target, n * width);
        }
        Ok(())
    })
}

impl Engine {
    fn length(&self, handle: i32) -> Result<usize> {
        Ok(self.place(handle)?.1)
    }
}
