//! The layers of a language model: softmax, rows by id, RMSNorm, LayerNorm, SwiGLU, RoPE.

use super::{call, one_type, size};
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::element::{Floats, FloatsMut};
use smolforge_tensor::quantised::unpack;
use smolforge_tensor::swiglu::{GateGradients, Gates};
use smolforge_tensor::{gather, normalise, rope, swiglu};

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
                swiglu::swiglu(&engine.context, gate, up, y, gates)
            }
            (Floats::Bf16(gate), Floats::Bf16(up), FloatsMut::Bf16(y)) => {
                swiglu::swiglu(&engine.context, gate, up, y, gates)
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
                let dgate = engine.optional(dgate, n, &others)?;
                let dup = engine.optional(dup, n, &others)?;
                let out = GateGradients::new(dgate, dup, adds);
                swiglu::swiglu_gradient(context, gate, up, dy, out, gates);
            }
            (Floats::Bf16(gate), Floats::Bf16(up), Floats::Bf16(dy)) => {
                let dgate = engine.optional_bf16(dgate, n, &others)?;
                let dup = engine.optional_bf16(dup, n, &others)?;
                let out = GateGradients::new(dgate, dup, adds);
                swiglu::swiglu_gradient(context, gate, up, dy, out, gates);
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
        let (input, out) = (engine.floats(x, 2 * n)?, engine.floats_output(y, n, &[x])?);
        if engine.dtype(x)? != engine.dtype(y)? {
            return Err(one_type("input and output"));
        }
        swiglu::swiglu_rows(&engine.context, input, out, rows as usize, width as usize);
        Ok(())
    })
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
