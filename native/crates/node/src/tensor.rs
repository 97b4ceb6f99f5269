//! Binding of the `tensor` kernels: a table of buffers for each Node thread, and checks of every size before a kernel
//! sees it.

use napi::bindgen_prelude::{Float32Array, Int32Array};
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::arena::{Arena, Block, Piece};
use smolforge_tensor::elementwise::{Binary, Unary};
use smolforge_tensor::gemm::Matrix;
use smolforge_tensor::{
    Context, Isa, Precision, attention, elementwise, gather, gemm, head, isa, muon, normalise,
    optimizer, reduce, rope,
};
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

fn unary_of(f: u32) -> Result<Unary> {
    use Unary::*;
    let all = [Neg, Exp, Log, Sqrt, Sigmoid, Silu, LogSigmoid];
    all.get(f as usize)
        .copied()
        .ok_or_else(|| Error::from_reason(format!("there is no function {f}")))
}

#[napi]
pub fn tensor_unary(f: u32, x: i32, y: i32, length: u32) -> Result<()> {
    call("unary", |engine| {
        let n = length as usize;
        elementwise::unary(
            &engine.context,
            unary_of(f)?,
            engine.input(x, n)?,
            engine.output(y, n, &[x])?,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_unary_gradient(
    f: u32,
    x: i32,
    y: i32,
    dy: i32,
    dx: i32,
    length: u32,
    add: bool,
) -> Result<()> {
    call("unary gradient", |engine| {
        let n = length as usize;
        let [input, result, gradient] = [
            engine.input(x, n)?,
            engine.input(y, n)?,
            engine.input(dy, n)?,
        ];
        let out = engine.output(dx, n, &[x, y, dy])?;
        elementwise::unary_gradient(
            &engine.context,
            unary_of(f)?,
            input,
            result,
            gradient,
            out,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_binary(
    op: u32,
    a: i32,
    b: i32,
    c: i32,
    length: u32,
    period: u32,
    add: bool,
) -> Result<()> {
    call("binary", |engine| {
        let (n, period) = (length as usize, period as usize);
        if n > 0 && (period == 0 || n % period != 0) {
            return Err(Error::from_reason("the right side does not fit the left"));
        }
        let op = *[Binary::Add, Binary::Sub, Binary::Mul]
            .get(op as usize)
            .ok_or_else(|| Error::from_reason("unknown operation"))?;
        let out = engine.output(c, n, &[a, b])?;
        elementwise::binary(
            &engine.context,
            op,
            engine.input(a, n)?,
            engine.input(b, period)?,
            out,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_scale(x: i32, factor: f64, y: i32, length: u32, add: bool) -> Result<()> {
    call("scale", |engine| {
        let n = length as usize;
        let out = engine.output(y, n, &[x])?;
        elementwise::scale(
            &engine.context,
            engine.input(x, n)?,
            factor as f32,
            out,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_scale_by(x: i32, s: i32, y: i32, length: u32, add: bool) -> Result<()> {
    call("scale", |engine| {
        let n = length as usize;
        let factor = engine.input(s, 1)?[0];
        let out = engine.output(y, n, &[x, s])?;
        elementwise::scale(&engine.context, engine.input(x, n)?, factor, out, add);
        Ok(())
    })
}

#[napi]
pub fn tensor_sum_axis(
    x: i32,
    y: i32,
    outer: u32,
    axis: u32,
    inner: u32,
    factor: f64,
    add: bool,
) -> Result<()> {
    call("sum", |engine| {
        let (from, to) = (size(&[outer, axis, inner])?, size(&[outer, inner])?);
        let (input, out) = (engine.input(x, from)?, engine.output(y, to, &[x])?);
        let [outer, axis, inner] = [outer, axis, inner].map(|n| n as usize);
        reduce::sum_axis(
            &engine.context,
            input,
            out,
            outer,
            axis,
            inner,
            factor as f32,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_spread_axis(
    y: i32,
    x: i32,
    outer: u32,
    axis: u32,
    inner: u32,
    factor: f64,
    add: bool,
) -> Result<()> {
    call("sum gradient", |engine| {
        let (to, from) = (size(&[outer, axis, inner])?, size(&[outer, inner])?);
        let (input, out) = (engine.input(y, from)?, engine.output(x, to, &[y])?);
        let [outer, axis, inner] = [outer, axis, inner].map(|n| n as usize);
        reduce::spread_axis(
            &engine.context,
            input,
            out,
            outer,
            axis,
            inner,
            factor as f32,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_transpose(x: i32, y: i32, rows: u32, columns: u32, add: bool) -> Result<()> {
    call("transpose", |engine| {
        let n = size(&[rows, columns])?;
        let (input, out) = (engine.input(x, n)?, engine.output(y, n, &[x])?);
        reduce::transpose(
            &engine.context,
            input,
            out,
            rows as usize,
            columns as usize,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_matmul(
    a: i32,
    b: i32,
    c: i32,
    batch: u32,
    m: u32,
    n: u32,
    k: u32,
    transpose_a: bool,
    transpose_b: bool,
    add: bool,
) -> Result<()> {
    let name = match (transpose_a, transpose_b) {
        (false, true) => "matmul forward",
        (true, false) => "matmul weight gradient",
        _ => "matmul",
    };
    call(name, |engine| {
        let left = engine.input(a, size(&[batch, m, k])?)?;
        let right = engine.input(b, size(&[batch, k, n])?)?;
        let out = engine.output(c, size(&[batch, m, n])?, &[a, b])?;
        let [m, n, k] = [m, n, k].map(|size| size as usize);
        for i in 0..batch as usize {
            let (left, right) = (
                &left[i * m * k..(i + 1) * m * k],
                &right[i * k * n..(i + 1) * k * n],
            );
            let left = if transpose_a {
                Matrix::columns(left, m)
            } else {
                Matrix::rows(left, k)
            };
            let right = if transpose_b {
                Matrix::columns(right, k)
            } else {
                Matrix::rows(right, n)
            };
            gemm::gemm(
                &engine.context,
                m,
                n,
                k,
                left,
                right,
                &mut out[i * m * n..(i + 1) * m * n],
                n,
                add,
            );
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_softmax(x: i32, y: i32, rows: u32, columns: u32, log: bool) -> Result<()> {
    call("softmax", |engine| {
        let n = size(&[rows, columns])?;
        let (input, out) = (engine.input(x, n)?, engine.output(y, n, &[x])?);
        if n > 0 {
            normalise::softmax(&engine.context, input, out, columns as usize, log);
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_softmax_gradient(
    y: i32,
    dy: i32,
    dx: i32,
    rows: u32,
    columns: u32,
    log: bool,
    add: bool,
) -> Result<()> {
    call("softmax gradient", |engine| {
        let n = size(&[rows, columns])?;
        let (result, gradient) = (engine.input(y, n)?, engine.input(dy, n)?);
        let out = engine.output(dx, n, &[y, dy])?;
        if n > 0 {
            normalise::softmax_gradient(
                &engine.context,
                result,
                gradient,
                out,
                columns as usize,
                log,
                add,
            );
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_gather_rows(
    table: i32,
    ids: i32,
    y: i32,
    count: u32,
    columns: u32,
    table_rows: u32,
) -> Result<()> {
    call("gather", |engine| {
        let rows = engine.input(table, size(&[table_rows, columns])?)?;
        let list = engine.ints(ids, count as usize)?;
        if let Some(id) = list.iter().find(|&&id| id < 0 || id as u32 >= table_rows) {
            return Err(Error::from_reason(format!(
                "id {id} is not in a table of {table_rows} rows"
            )));
        }
        let out = engine.output(y, size(&[count, columns])?, &[table, ids])?;
        gather::gather_rows(&engine.context, rows, list, out, columns as usize);
        Ok(())
    })
}

#[napi]
pub fn tensor_scatter_rows(
    dy: i32,
    ids: i32,
    dtable: i32,
    count: u32,
    columns: u32,
    table_rows: u32,
    add: bool,
) -> Result<()> {
    call("scatter", |engine| {
        let gradient = engine.input(dy, size(&[count, columns])?)?;
        let list = engine.ints(ids, count as usize)?;
        let out = engine.output(dtable, size(&[table_rows, columns])?, &[dy, ids])?;
        gather::scatter_rows(&engine.context, gradient, list, out, columns as usize, add);
        Ok(())
    })
}

#[napi]
pub fn tensor_rms_norm(
    x: i32,
    weight: i32,
    y: i32,
    inverse: i32,
    rows: u32,
    columns: u32,
    eps: f64,
) -> Result<()> {
    call("rmsNorm", |engine| {
        let n = size(&[rows, columns])?;
        let (input, weights) = (engine.input(x, n)?, engine.input(weight, columns as usize)?);
        let out = engine.output(y, n, &[x, weight, inverse])?;
        let inverses = engine.output(inverse, rows as usize, &[x, weight])?;
        if columns > 0 {
            normalise::rms_norm(&engine.context, input, weights, out, inverses, eps as f32);
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_rms_norm_gradient(
    x: i32,
    weight: i32,
    inverse: i32,
    dy: i32,
    dx: i32,
    dweight: i32,
    rows: u32,
    columns: u32,
    add_x: bool,
    add_weight: bool,
) -> Result<()> {
    call("rmsNorm gradient", |engine| {
        let n = size(&[rows, columns])?;
        let (input, weights) = (engine.input(x, n)?, engine.input(weight, columns as usize)?);
        let (inverses, gradient) = (engine.input(inverse, rows as usize)?, engine.input(dy, n)?);
        let others = [x, weight, inverse, dy];
        let dx = engine.optional(dx, n, &others)?;
        let dweight = engine.optional(dweight, columns as usize, &others)?;
        let adds = [add_x, add_weight];
        if columns > 0 {
            normalise::rms_norm_gradient(
                &engine.context,
                input,
                weights,
                inverses,
                gradient,
                dx,
                dweight,
                adds,
            );
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_swiglu(gate: i32, up: i32, y: i32, length: u32) -> Result<()> {
    call("swiglu", |engine| {
        let n = length as usize;
        let out = engine.output(y, n, &[gate, up])?;
        elementwise::swiglu(
            &engine.context,
            engine.input(gate, n)?,
            engine.input(up, n)?,
            out,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_swiglu_gradient(
    gate: i32,
    up: i32,
    dy: i32,
    dgate: i32,
    dup: i32,
    length: u32,
    add_gate: bool,
    add_up: bool,
) -> Result<()> {
    call("swiglu gradient", |engine| {
        let n = length as usize;
        let (g, u, d) = (
            engine.input(gate, n)?,
            engine.input(up, n)?,
            engine.input(dy, n)?,
        );
        let others = [gate, up, dy];
        if dgate >= 0 && dgate == dup {
            return Err(Error::from_reason("gate and up must not share a gradient"));
        }
        let (out, out_up) = (
            engine.optional(dgate, n, &others)?,
            engine.optional(dup, n, &others)?,
        );
        elementwise::swiglu_gradient(&engine.context, g, u, d, out, out_up, [add_gate, add_up]);
        Ok(())
    })
}

#[napi]
pub fn tensor_rope(
    x: i32,
    y: i32,
    batch: u32,
    time: u32,
    heads: u32,
    head_dim: u32,
    theta: f64,
    start: u32,
    inverse: bool,
    add: bool,
) -> Result<()> {
    call("rope", |engine| {
        let n = size(&[batch, time, heads, head_dim])?;
        let (input, out) = (engine.input(x, n)?, engine.output(y, n, &[x])?);
        if head_dim % 2 == 1 {
            return Err(Error::from_reason("headDim must be even"));
        }
        let [batch, time, heads, head_dim, start] =
            [batch, time, heads, head_dim, start].map(|n| n as usize);
        let shape = rope::Shape {
            batch,
            time,
            heads,
            head_dim,
            theta,
            start,
        };
        rope::rope(&engine.context, input, out, shape, inverse, add);
        Ok(())
    })
}

#[napi(object)]
pub struct TensorAttentionShape {
    pub batch: u32,
    pub time: u32,
    pub capacity: u32,
    pub heads: u32,
    pub kv_heads: u32,
    pub head_dim: u32,
    pub key_length: u32,
    pub segments: i32,
}

struct AttentionSizes<'a> {
    shape: attention::Shape,
    queries: usize,
    keys: usize,
    sums: usize,
    segments: Option<&'a [i32]>,
}

fn attention_sizes<'a>(engine: &Engine, s: &TensorAttentionShape) -> Result<AttentionSizes<'a>> {
    let fits = s.kv_heads > 0
        && s.heads.is_multiple_of(s.kv_heads)
        && s.head_dim > 0
        && s.time <= s.key_length
        && s.key_length <= s.capacity
        && (s.segments < 0 || s.time == s.key_length);
    if !fits {
        return Err(Error::from_reason(
            "the shapes of queries and keys do not fit",
        ));
    }
    let segments = if s.segments < 0 {
        None
    } else {
        Some(engine.ints(s.segments, size(&[s.batch, s.time])?)?)
    };
    Ok(AttentionSizes {
        shape: attention::Shape {
            batch: s.batch as usize,
            time: s.time as usize,
            capacity: s.capacity as usize,
            heads: s.heads as usize,
            kv_heads: s.kv_heads as usize,
            head_dim: s.head_dim as usize,
            key_length: s.key_length as usize,
        },
        queries: size(&[s.batch, s.time, s.heads, s.head_dim])?,
        keys: size(&[s.batch, s.capacity, s.kv_heads, s.head_dim])?,
        sums: size(&[s.batch, s.heads, s.time])?,
        segments,
    })
}

#[napi]
pub fn tensor_attention(
    q: i32,
    k: i32,
    v: i32,
    y: i32,
    log_sum_exp: i32,
    shape: TensorAttentionShape,
) -> Result<()> {
    call("attention", |engine| {
        let sizes = attention_sizes(engine, &shape)?;
        attention::forward(
            &engine.context,
            engine.input(q, sizes.queries)?,
            engine.input(k, sizes.keys)?,
            engine.input(v, sizes.keys)?,
            engine.output(y, sizes.queries, &[q, k, v, log_sum_exp])?,
            engine.output(log_sum_exp, sizes.sums, &[q, k, v])?,
            sizes.segments,
            sizes.shape,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_attention_gradient(
    q: i32,
    k: i32,
    v: i32,
    y: i32,
    log_sum_exp: i32,
    dy: i32,
    dq: i32,
    dk: i32,
    dv: i32,
    shape: TensorAttentionShape,
    add_q: bool,
    add_k: bool,
    add_v: bool,
) -> Result<()> {
    call("attention gradient", |engine| {
        let sizes = attention_sizes(engine, &shape)?;
        let others = [q, k, v, y, log_sum_exp, dy];
        if dq == dk || dk == dv || dq == dv {
            return Err(Error::from_reason("q, k and v must not share a gradient"));
        }
        attention::backward(
            &engine.context,
            engine.input(q, sizes.queries)?,
            engine.input(k, sizes.keys)?,
            engine.input(v, sizes.keys)?,
            engine.input(y, sizes.queries)?,
            engine.input(log_sum_exp, sizes.sums)?,
            engine.input(dy, sizes.queries)?,
            engine.output(dq, sizes.queries, &others)?,
            engine.output(dk, sizes.keys, &others)?,
            engine.output(dv, sizes.keys, &others)?,
            sizes.segments,
            sizes.shape,
            [add_q, add_k, add_v],
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_head_log_probs(
    x: i32,
    weight: i32,
    targets: i32,
    nll: i32,
    rows: u32,
    hidden: u32,
    vocab: u32,
) -> Result<()> {
    call("head", |engine| {
        let (input, weights) = (
            engine.input(x, size(&[rows, hidden])?)?,
            size(&[vocab, hidden])?,
        );
        let out = engine.output(nll, rows as usize, &[x, weight])?;
        let targets = engine.ints(targets, rows as usize)?;
        if hidden > 0 {
            let weights = engine.input(weight, weights)?;
            head::head(
                &engine.context,
                input,
                weights,
                targets,
                out,
                hidden as usize,
                None,
            );
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_head_gradient(
    x: i32,
    weight: i32,
    targets: i32,
    scales: i32,
    nll: i32,
    dx: i32,
    dweight: i32,
    rows: u32,
    hidden: u32,
    vocab: u32,
    add_x: bool,
    add_weight: bool,
) -> Result<()> {
    call("head gradient", |engine| {
        let (input, weights) = (size(&[rows, hidden])?, size(&[vocab, hidden])?);
        let others = [x, weight, scales, nll];
        if dx >= 0 && dx == dweight {
            return Err(Error::from_reason(
                "input and weight must not share a gradient",
            ));
        }
        let gradients = head::Gradients {
            scales: engine.input(scales, rows as usize)?,
            dx: engine.optional(dx, input, &others)?,
            dweight: engine.optional(dweight, weights, &others)?,
            add_x,
            add_weight,
        };
        let out = engine.output(nll, rows as usize, &[x, weight, scales])?;
        let targets = engine.ints(targets, rows as usize)?;
        if hidden > 0 {
            let (input, weights) = (engine.input(x, input)?, engine.input(weight, weights)?);
            head::head(
                &engine.context,
                input,
                weights,
                targets,
                out,
                hidden as usize,
                Some(gradients),
            );
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_write_rows(
    cache: i32,
    rows: i32,
    batch: u32,
    capacity: u32,
    time: u32,
    width: u32,
    at: u32,
) -> Result<()> {
    call("write rows", |engine| {
        let input = engine.input(rows, size(&[batch, time, width])?)?;
        let out = engine.output(cache, size(&[batch, capacity, width])?, &[rows])?;
        if at as u64 + time as u64 > capacity as u64 {
            return Err(Error::from_reason("the cache is full"));
        }
        gather::write_rows(
            out,
            input,
            batch as usize,
            time as usize,
            width as usize,
            at as usize,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_sum_of_squares(handles: Int32Array) -> Result<f64> {
    call("gradient norm", |engine| {
        let mut sum = 0.0;
        for &handle in handles.iter() {
            sum += reduce::total(
                &engine.context,
                engine.input(handle, engine.length(handle)?)?,
                true,
            );
        }
        Ok(sum)
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

#[napi(object)]
pub struct TensorAdamw {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub step: f64,
    pub gradient_scale: f64,
}

#[napi]
pub fn tensor_adamw(handles: Int32Array, settings: TensorAdamw) -> Result<()> {
    call("adamw", |engine| {
        let settings = optimizer::Adamw {
            learning_rate: settings.learning_rate as f32,
            beta1: settings.beta1 as f32,
            beta2: settings.beta2 as f32,
            epsilon: settings.epsilon as f32,
            weight_decay: settings.weight_decay as f32,
            step: settings.step,
            gradient_scale: settings.gradient_scale as f32,
        };
        for entry in handles.chunks(4) {
            let &[p, g, m, v] = entry else {
                return Err(Error::from_reason("four handles an entry are needed"));
            };
            let n = engine.length(p)?;
            let (parameter, gradient) = (engine.output(p, n, &[g, m, v])?, engine.input(g, n)?);
            let (first, second) = (
                engine.output(m, n, &[g, p, v])?,
                engine.output(v, n, &[g, p, m])?,
            );
            optimizer::adamw(
                &engine.context,
                parameter,
                gradient,
                first,
                second,
                settings,
            );
        }
        Ok(())
    })
}

#[napi(object)]
pub struct TensorMuon {
    pub learning_rate: f64,
    pub momentum: f64,
    pub nesterov: bool,
    pub newton_schulz_steps: u32,
    pub weight_decay: f64,
    pub gradient_scale: f64,
}

#[napi]
pub fn tensor_muon(handles: Int32Array, shapes: Int32Array, settings: TensorMuon) -> Result<()> {
    call("muon", |engine| {
        let mut entries = Vec::new();
        let mut used = std::collections::HashSet::new();
        for (entry, shape) in handles.chunks(3).zip(shapes.chunks(2)) {
            let (&[p, g, m], &[rows, columns]) = (entry, shape) else {
                return Err(Error::from_reason(
                    "three handles and two sizes an entry are needed",
                ));
            };
            if !(used.insert(p) && used.insert(g) && used.insert(m)) {
                return Err(Error::from_reason("a tensor comes twice"));
            }
            let n = size(&[rows.max(0) as u32, columns.max(0) as u32])?;
            entries.push(muon::Entry {
                parameter: engine.output(p, n, &[])?,
                gradient: engine.input(g, n)?,
                momentum: engine.output(m, n, &[])?,
                rows: rows as usize,
                columns: columns as usize,
            });
        }
        let settings = muon::Muon {
            learning_rate: settings.learning_rate as f32,
            momentum: settings.momentum as f32,
            nesterov: settings.nesterov,
            steps: settings.newton_schulz_steps as usize,
            weight_decay: settings.weight_decay as f32,
            gradient_scale: settings.gradient_scale as f32,
        };
        muon::muon(&engine.context, &mut entries, settings);
        Ok(())
    })
}
