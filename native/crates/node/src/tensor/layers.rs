//! The layers of a language model: softmax, rows by id, RMSNorm, LayerNorm, SwiGLU, RoPE, attention, the vocabulary head.

use super::{Engine, call, size};
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::attention::Lines;
use smolforge_tensor::context::Shared;
use smolforge_tensor::element::{Floats, FloatsMut};
use smolforge_tensor::elementwise::Gates;
use smolforge_tensor::gather::Columns;
use smolforge_tensor::quantised::{self, unpack};
use smolforge_tensor::{attention, elementwise, gather, head, normalise, rope};

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
        let list = engine.ints(ids, count as usize)?;
        if let Some(id) = list.iter().find(|&&id| id < 0 || id as u32 >= table_rows) {
            return Err(Error::from_reason(format!(
                "id {id} is not in a table of {table_rows} rows"
            )));
        }
        let out = engine.output(y, size(&[count, columns])?, &[table, ids])?;
        if let Some(blocks) = engine.blocks(table, table_rows, columns)? {
            unpack::gather_rows(&engine.context, blocks, list, out);
            return Ok(());
        }
        let rows = engine.input(table, size(&[table_rows, columns])?)?;
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
        let out = engine.floats_output(y, n, &[x, weight, inverse])?;
        let inverses = engine.output(inverse, rows as usize, &[x, weight])?;
        if columns > 0 {
            normalise::rms_norm(&engine.context, input, weights, out, inverses, eps as f32);
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_layer_norm(
    x: i32,
    weight: i32,
    bias: i32,
    y: i32,
    rows: u32,
    columns: u32,
    eps: f64,
) -> Result<()> {
    call("layerNorm", |engine| {
        let n = size(&[rows, columns])?;
        let (input, width) = (engine.input(x, n)?, columns as usize);
        let (weights, biases) = (engine.input(weight, width)?, engine.input(bias, width)?);
        let out = engine.output(y, n, &[x, weight, bias])?;
        if columns > 0 {
            normalise::layer_norm(&engine.context, input, weights, biases, out, eps as f32);
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
        let inverses = engine.input(inverse, rows as usize)?;
        let gradient = engine.floats(dy, n)?;
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
        let gates = Gates::whole(n);
        let out = engine.floats_output(y, n, &[gate, up])?;
        match (engine.floats(gate, n)?, engine.floats(up, n)?, out) {
            (Floats::F32(gate), Floats::F32(up), FloatsMut::F32(y)) => {
                elementwise::swiglu(&engine.context, gate, up, y, gates)
            }
            (Floats::Bf16(gate), Floats::Bf16(up), FloatsMut::Bf16(y)) => {
                elementwise::swiglu(&engine.context, gate, up, y, gates)
            }
            _ => return Err(one_type("gate, up and output")),
        }
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
            engine.floats(gate, n)?,
            engine.floats(up, n)?,
            engine.floats(dy, n)?,
        );
        let others = [gate, up, dy];
        if dgate >= 0 && dgate == dup {
            return Err(Error::from_reason("gate and up must not share a gradient"));
        }
        let (gates, adds) = (Gates::whole(n), [add_gate, add_up]);
        let context = &engine.context;
        match (g, u, d) {
            (Floats::F32(gate), Floats::F32(up), Floats::F32(dy)) => {
                let dgate = engine.optional(dgate, n, &others)?.map(Shared::new);
                let dup = engine.optional(dup, n, &others)?.map(Shared::new);
                elementwise::swiglu_gradient(context, gate, up, dy, dgate, dup, gates, adds);
            }
            (Floats::Bf16(gate), Floats::Bf16(up), Floats::Bf16(dy)) => {
                let dgate = engine.optional_bf16(dgate, n, &others)?.map(Shared::new);
                let dup = engine.optional_bf16(dup, n, &others)?.map(Shared::new);
                elementwise::swiglu_gradient(context, gate, up, dy, dgate, dup, gates, adds);
            }
            _ => return Err(one_type("gate, up and dy")),
        }
        Ok(())
    })
}

/// Gate and up side by side in rows of x.
#[napi]
pub fn tensor_swiglu_rows(x: i32, y: i32, rows: u32, width: u32) -> Result<()> {
    call("swiglu", |engine| {
        let n = size(&[rows, width])?;
        let (gates, width) = (joint_gates(rows, width), width as usize);
        match (engine.floats(x, 2 * n)?, engine.floats_output(y, n, &[x])?) {
            _ if n == 0 => {}
            (Floats::F32(x), FloatsMut::F32(y)) => {
                elementwise::swiglu(&engine.context, x, &x[width..], y, gates)
            }
            (Floats::Bf16(x), FloatsMut::Bf16(y)) => {
                elementwise::swiglu(&engine.context, x, &x[width..], y, gates)
            }
            _ => return Err(one_type("input and output")),
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_swiglu_rows_gradient(
    x: i32,
    dy: i32,
    dx: i32,
    rows: u32,
    width: u32,
    add: bool,
) -> Result<()> {
    call("swiglu gradient", |engine| {
        let n = size(&[rows, width])?;
        if n == 0 {
            return Ok(());
        }
        let (gates, width, adds) = (joint_gates(rows, width), width as usize, [add; 2]);
        let context = &engine.context;
        let out = engine.floats_output(dx, 2 * n, &[x, dy])?;
        match (engine.floats(x, 2 * n)?, engine.floats(dy, n)?, out) {
            (Floats::F32(x), Floats::F32(dy), FloatsMut::F32(dx)) => {
                let dgate = Shared::new(dx);
                let dup = unsafe { dgate.rest(width) };
                let (dgate, dup) = (Some(dgate), Some(dup));
                elementwise::swiglu_gradient(context, x, &x[width..], dy, dgate, dup, gates, adds);
            }
            (Floats::Bf16(x), Floats::Bf16(dy), FloatsMut::Bf16(dx)) => {
                let dgate = Shared::new(dx);
                let dup = unsafe { dgate.rest(width) };
                let (dgate, dup) = (Some(dgate), Some(dup));
                elementwise::swiglu_gradient(context, x, &x[width..], dy, dgate, dup, gates, adds);
            }
            _ => return Err(one_type("input and gradients")),
        }
        Ok(())
    })
}

fn joint_gates(rows: u32, width: u32) -> Gates {
    let (rows, width) = (rows as usize, width as usize);
    Gates {
        rows,
        width,
        stride: 2 * width,
    }
}

fn one_type(what: &str) -> Error {
    Error::from_reason(format!("{what} must be stored alike, all f32 or all bf16"))
}

/// The first `heads` heads of rows of `width`, turned in place.
#[napi]
pub fn tensor_rope_in_place(
    x: i32,
    batch: u32,
    time: u32,
    width: u32,
    heads: u32,
    head_dim: u32,
    theta: f64,
    start: u32,
    inverse: bool,
) -> Result<()> {
    call("rope", |engine| {
        let n = size(&[batch, time, width])?;
        if head_dim % 2 == 1 || heads as u64 * head_dim as u64 > width as u64 {
            return Err(Error::from_reason("the heads do not fit the rows"));
        }
        let [batch, time, width, heads, head_dim, start] =
            [batch, time, width, heads, head_dim, start].map(|n| n as usize);
        let shape = rope::Shape {
            batch,
            time,
            heads,
            head_dim,
            theta,
            start,
        };
        match engine.floats_output(x, n, &[])? {
            FloatsMut::F32(x) => rope::rope_in_place(&engine.context, x, width, shape, inverse),
            FloatsMut::Bf16(x) => rope::rope_in_place(&engine.context, x, width, shape, inverse),
        }
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
    pub causal: bool,
    pub segments: i32,
    /// Width of the rows in which q, k and v lie and where their heads begin there; 0 and 0 where they lie alone.
    pub query_width: u32,
    pub query_offset: u32,
    pub key_width: u32,
    pub key_offset: u32,
    pub value_width: u32,
    pub value_offset: u32,
}

struct AttentionSizes<'a> {
    shape: attention::Shape,
    queries: usize,
    keys: usize,
    values: usize,
    outputs: usize,
    sums: usize,
    segments: Option<&'a [i32]>,
}

fn attention_sizes<'a>(engine: &Engine, s: &TensorAttentionShape) -> Result<AttentionSizes<'a>> {
    let lines = |heads: u32, width: u32, offset: u32| {
        let own = heads as u64 * s.head_dim as u64;
        let width = if width == 0 { own } else { width as u64 };
        let fits = offset as u64 + own <= width && width <= u32::MAX as u64;
        fits.then_some(Lines {
            width: width as usize,
            offset: offset as usize,
        })
    };
    let places = (
        lines(s.heads, s.query_width, s.query_offset),
        lines(s.kv_heads, s.key_width, s.key_offset),
        lines(s.kv_heads, s.value_width, s.value_offset),
    );
    let fits = s.kv_heads > 0
        && s.heads.is_multiple_of(s.kv_heads)
        && s.head_dim > 0
        && s.time <= s.key_length
        && s.key_length <= s.capacity
        && (s.segments < 0 || s.time == s.key_length);
    let (true, (Some(queries), Some(keys), Some(values))) = (fits, places) else {
        return Err(Error::from_reason(
            "the shapes of queries and keys do not fit",
        ));
    };
    let segments = if s.segments < 0 {
        None
    } else {
        Some(engine.ints(s.segments, size(&[s.batch, s.time])?)?)
    };
    Ok(AttentionSizes {
        queries: size(&[s.batch, s.time, queries.width as u32])?,
        keys: size(&[s.batch, s.capacity, keys.width as u32])?,
        values: size(&[s.batch, s.capacity, values.width as u32])?,
        outputs: size(&[s.batch, s.time, s.heads, s.head_dim])?,
        sums: size(&[s.batch, s.heads, s.time])?,
        segments,
        shape: attention::Shape {
            batch: s.batch as usize,
            time: s.time as usize,
            capacity: s.capacity as usize,
            heads: s.heads as usize,
            kv_heads: s.kv_heads as usize,
            head_dim: s.head_dim as usize,
            key_length: s.key_length as usize,
            causal: s.causal,
            queries,
            keys,
            values,
        },
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
        if (engine.dtype(q)?, engine.dtype(k)?) != (engine.dtype(y)?, engine.dtype(v)?) {
            return Err(one_type("q and y, and k and v,"));
        }
        attention::forward(
            &engine.context,
            engine.floats(q, sizes.queries)?,
            engine.floats(k, sizes.keys)?,
            engine.floats(v, sizes.values)?,
            engine.floats_output(y, sizes.outputs, &[q, k, v, log_sum_exp])?,
            engine.output(log_sum_exp, sizes.sums, &[q, k, v])?,
            sizes.segments,
            sizes.shape,
        );
        Ok(())
    })
}

/// dq, dk and dv may be one buffer where they are other columns of it.
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
        let stored = engine.dtype(q)?;
        for handle in [k, v, y, dy, dq, dk, dv] {
            if engine.dtype(handle)? != stored {
                return Err(one_type("q, k, v, y and the gradients"));
            }
        }
        let heads = |lines: Lines, heads: usize| {
            (
                lines.width,
                lines.offset,
                lines.offset + heads * sizes.shape.head_dim,
            )
        };
        let parts = [
            (dq, heads(sizes.shape.queries, sizes.shape.heads)),
            (dk, heads(sizes.shape.keys, sizes.shape.kv_heads)),
            (dv, heads(sizes.shape.values, sizes.shape.kv_heads)),
        ];
        for (i, &(handle, (width, from, to))) in parts.iter().enumerate() {
            for &(other, (other_width, other_from, other_to)) in &parts[..i] {
                let apart = width == other_width && (to <= other_from || other_to <= from);
                if handle == other && !apart {
                    return Err(Error::from_reason("q, k and v must not share a gradient"));
                }
            }
        }
        let gradients = attention::Gradients {
            q: engine.floats_output(dq, sizes.queries, &others)?.into(),
            k: engine.floats_output(dk, sizes.keys, &others)?.into(),
            v: engine.floats_output(dv, sizes.values, &others)?.into(),
            adds: [add_q, add_k, add_v],
        };
        attention::backward(
            &engine.context,
            engine.floats(q, sizes.queries)?,
            engine.floats(k, sizes.keys)?,
            engine.floats(v, sizes.values)?,
            engine.floats(y, sizes.outputs)?,
            engine.input(log_sum_exp, sizes.sums)?,
            engine.floats(dy, sizes.outputs)?,
            gradients,
            sizes.segments,
            sizes.shape,
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
        if let Some(blocks) = engine.blocks(weight, vocab, hidden)? {
            if targets.iter().any(|&target| target >= vocab as i32) {
                return Err(Error::from_reason("a target is not in the vocabulary"));
            }
            quantised::head::log_probs(&engine.context, input, blocks, targets, out);
        } else if hidden > 0 {
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
    stride: u32,
    offset: u32,
    at: u32,
) -> Result<()> {
    call("write rows", |engine| {
        let input = engine.floats(rows, size(&[batch, time, stride])?)?;
        let out = engine.floats_output(cache, size(&[batch, capacity, width])?, &[rows])?;
        if at as u64 + time as u64 > capacity as u64 {
            return Err(Error::from_reason("the cache is full"));
        }
        if offset as u64 + width as u64 > stride as u64 {
            return Err(Error::from_reason("the rows have no such columns"));
        }
        let columns = Columns {
            batch: batch as usize,
            time: time as usize,
            width: width as usize,
            stride: stride as usize,
            offset: offset as usize,
        };
        let (context, at) = (&engine.context, at as usize);
        match (input, out) {
            (Floats::F32(x), FloatsMut::F32(y)) => gather::write_rows(context, y, x, columns, at),
            (Floats::F32(x), FloatsMut::Bf16(y)) => gather::write_rows(context, y, x, columns, at),
            (Floats::Bf16(x), FloatsMut::F32(y)) => gather::write_rows(context, y, x, columns, at),
            (Floats::Bf16(x), FloatsMut::Bf16(y)) => gather::write_rows(context, y, x, columns, at),
        }
        Ok(())
    })
}
