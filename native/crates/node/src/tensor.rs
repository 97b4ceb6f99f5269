//! Binding of the `tensor` kernels, with checks of every size before a kernel sees it; here what makes, fills and tells of
//! tensors.

mod attention;
mod engine;
mod head;
mod layers;
mod linears;
mod operations;
mod optimizers;
mod quantised;

use engine::{DType, Engine, Scope, Slot, call, one_type, size};
use napi::bindgen_prelude::{Float32Array, Int32Array};
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::arena::Block;
use smolforge_tensor::element::{Bf16, Floats, FloatsMut};
use smolforge_tensor::{Context, Isa, Precision, elementwise, isa};

#[napi(object)]
pub struct TensorInfo {
    pub isa: String,
    pub threads: u32,
    pub precision: String,
    pub cpu: String,
    pub isa_reason: String,
    pub bf16_products: bool,
}

fn info(engine: &Engine) -> TensorInfo {
    let bf16 = engine.context.precision == Precision::Bf16;
    TensorInfo {
        isa: engine.context.isa.name().into(),
        threads: engine.context.threads as u32,
        precision: if bf16 { "bf16" } else { "f32" }.into(),
        cpu: isa::cpu_name(),
        isa_reason: engine.reason.clone(),
        bf16_products: engine.context.isa.has_pairs(),
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
            scope.handles.push(handle);
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
                let mut held = scope.handles.iter();
                if let Some(at) = held.rposition(|&held| held as i32 == handle) {
                    scope.handles.swap_remove(at);
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

/// `int8`: see `Context`, until the scope is closed.
#[napi]
pub fn tensor_open_scope(int8: bool) -> Result<()> {
    call("scope", |engine| {
        engine.scopes.push(Scope {
            handles: Vec::new(),
            int8_before: engine.context.int8,
        });
        engine.context.int8 = int8;
        Ok(())
    })
}

#[napi]
pub fn tensor_close_scope() -> Result<()> {
    call("scope", |engine| {
        if let Some(scope) = engine.scopes.pop() {
            engine.context.int8 = scope.int8_before;
            for handle in scope.handles {
                engine.release(handle as i32)?;
            }
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
        match engine.floats_output(handle, length as usize, &[])? {
            FloatsMut::F32(to) => to.fill(value as f32),
            FloatsMut::Bf16(to) => to.fill(Bf16::new(value as f32)),
        }
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
