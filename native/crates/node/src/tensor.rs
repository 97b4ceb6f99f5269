//! Binding of the `tensor` kernels: a table of buffers for each Node thread, and checks of every size before a kernel
//! sees it.

mod layers;
mod operations;
mod optimizers;

use napi::bindgen_prelude::{Float32Array, Int32Array};
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::arena::{Arena, Block, Piece};
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
    Step {
        piece: Piece,
        length: usize,
        ints: bool,
    },
    Persistent {
        block: Block,
        ints: bool,
    },
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

    fn memory(&self, handle: i32, length: usize, ints: bool) -> Result<*mut f32> {
        let (pointer, held, held_ints) = match self.slot(handle)? {
            Slot::Step {
                piece,
                length,
                ints,
            } => (self.arena.pointer(*piece), *length, *ints),
            Slot::Persistent { block, ints } => (block.as_ptr(), block.len(), *ints),
            Slot::Vacant => (std::ptr::null_mut(), 0, false),
        };
        if held_ints != ints {
            let (has, needs) = if ints { ("f32", "i32") } else { ("i32", "f32") };
            return Err(Error::from_reason(format!(
                "a tensor of {has} where {needs} is needed"
            )));
        }
        if held < length {
            return Err(Error::from_reason(format!(
                "a tensor of {held} elements where {length} are needed"
            )));
        }
        Ok(pointer)
    }

    // The slices outlive the borrow of the engine: no call that uses them changes the table.
    fn input<'a>(&self, handle: i32, length: usize) -> Result<&'a [f32]> {
        let pointer = self.memory(handle, length, false)?;
        Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
    }

    fn ints<'a>(&self, handle: i32, length: usize) -> Result<&'a [i32]> {
        let pointer = self.memory(handle, length, true)?;
        Ok(unsafe { std::slice::from_raw_parts(pointer as *const i32, length) })
    }

    /// An output; it must be none of the `others`, which the same call reads or writes.
    fn output<'a>(&self, handle: i32, length: usize, others: &[i32]) -> Result<&'a mut [f32]> {
        if others.contains(&handle) {
            return Err(Error::from_reason("an output must not be an input"));
        }
        let pointer = self.memory(handle, length, false)?;
        Ok(unsafe { std::slice::from_raw_parts_mut(pointer, length) })
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

    fn release(&mut self, handle: i32) -> Result<()> {
        self.slot(handle)?;
        match std::mem::replace(&mut self.slots[handle as usize], Slot::Vacant) {
            Slot::Step { piece, .. } => self.arena.release(piece),
            Slot::Persistent { block, .. } => self.persistent_bytes -= block.bytes(),
            Slot::Vacant => {}
        }
        self.vacant.push(handle as u32);
        Ok(())
    }
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
pub fn tensor_allocate(length: u32, ints: bool, persistent: bool) -> Result<i32> {
    call("allocate", |engine| {
        let length = length as usize;
        let slot = if persistent || engine.scopes.is_empty() {
            let block = Block::new(length);
            engine.persistent_bytes += block.bytes();
            Slot::Persistent { block, ints }
        } else {
            Slot::Step {
                piece: engine.arena.allocate(length),
                length,
                ints,
            }
        };
        let in_step = matches!(slot, Slot::Step { .. });
        let handle = match engine.vacant.pop() {
            Some(handle) => {
                engine.slots[handle as usize] = slot;
                handle
            }
            None => {
                engine.slots.push(slot);
                engine.slots.len() as u32 - 1
            }
        };
        if in_step && let Some(scope) = engine.scopes.last_mut() {
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
        engine.release(handle)
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

#[napi]
pub fn tensor_read_floats(handle: i32, mut into: Float32Array) -> Result<()> {
    call("read", |engine| {
        let values = engine.input(handle, into.len())?;
        unsafe { into.as_mut() }.copy_from_slice(values);
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
        engine
            .output(handle, data.len(), &[])?
            .copy_from_slice(&data);
        Ok(())
    })
}

#[napi]
pub fn tensor_write_ints(handle: i32, data: Int32Array) -> Result<()> {
    call("write", |engine| {
        let pointer = engine.memory(handle, data.len(), true)? as *mut i32;
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
        // Whole numbers are copied as their bits.
        let ints = matches!(
            engine.slot(from)?,
            Slot::Step { ints: true, .. } | Slot::Persistent { ints: true, .. }
        );
        if from == to || (ints && add) {
            return Err(Error::from_reason(
                "an output must not be an input, nor i32 be added",
            ));
        }
        let source = unsafe { engine.memory(from, from_at + n, ints)?.add(from_at) };
        let target = unsafe { engine.memory(to, to_at + n, ints)?.add(to_at) };
        if ints {
            unsafe { std::ptr::copy_nonoverlapping(source, target, n) };
            return Ok(());
        }
        let source = unsafe { std::slice::from_raw_parts(source, n) };
        let target = unsafe { std::slice::from_raw_parts_mut(target, n) };
        elementwise::scale(&engine.context, source, 1.0, target, add);
        Ok(())
    })
}

impl Engine {
    fn length(&self, handle: i32) -> Result<usize> {
        Ok(match self.slot(handle)? {
            Slot::Step { length, .. } => *length,
            Slot::Persistent { block, .. } => block.len(),
            Slot::Vacant => 0,
        })
    }
}
